/** The local secrets: `.dev.vars`, made with random values where there is none. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseEnv } from "node:util";

/** Creates the file unless it is there; answers its variables. */
export function readOrCreateVars(file: string): Record<string, string> {
  if (!existsSync(file)) {
    const lines = [
      "# Local secrets, made by `npm start`. Not for production, not for the repository.",
      ...Object.entries(randomVars()).map(([name, value]) => `${name}="${value}"`),
    ];
    writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  }
  return parseEnv(readFileSync(file, "utf8")) as Record<string, string>;
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
