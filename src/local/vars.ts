/** The local secrets: `.dev.vars`, made with random values where there is none. */
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";

const HEADER =
  "# Local secrets, made by `npm start`. Not for production, not for the repository.\n";

/** Adds to the file what it does not define at all, or creates it; answers its variables. */
export function readOrCreateVars(file: string): Record<string, string> {
  const text = existsSync(file) ? readFileSync(file, "utf8") : null;
  const defined = parseEnv(text ?? "") as Record<string, string>;
  const missing = Object.entries(randomVars()).filter(([name]) => !Object.hasOwn(defined, name));
  if (missing.length > 0) {
    const before = text === null ? HEADER : /(^|\n)$/.test(text) ? "" : "\n";
    const lines = missing.map(([name, value]) => `${name}="${value}"\n`);
    appendFileSync(file, before + lines.join(""), { mode: 0o600 });
  }
  return { ...defined, ...Object.fromEntries(missing) };
}

/** Fresh secrets, and the settings that make sense on one machine. */
export const randomVars = (): Record<string, string> => ({
  ADMIN_TOKEN: randomBytes(24).toString("base64url"),
  ENCRYPTION_KEY: randomBytes(32).toString("base64"),
  // Targets on 127.0.0.1 may be called.
  ALLOW_PRIVATE_TARGETS: "true",
  // The local queues keep messages in memory: every event goes through the outbox first.
  OUTBOX: "always",
});

export interface StartOptions {
  readonly port: number;
  readonly stateDirectory: string;
  /** What `.dev.vars` may say otherwise. */
  readonly vars: Readonly<Record<string, string>>;
}

/** What the environment says of `npm start`, where an empty value says nothing; null: PORT is none. */
export function startOptions(
  env: Readonly<Record<string, string | undefined>>,
): StartOptions | null {
  const { PORT, SIGNALBOX_STATE } = env;
  const port = Number(PORT || "8787");
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return null;
  return {
    port,
    stateDirectory: SIGNALBOX_STATE || ".wrangler/state",
    // Which free port 0 becomes is not known by then.
    vars: port === 0 ? {} : { PUBLIC_URL: `http://127.0.0.1:${port}` },
  };
}
