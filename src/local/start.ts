/** `npm start`: the router on this machine, with a demo tenant, until it is told to stop. */
import { join, resolve } from "node:path";
import { parseConfig } from "../env.ts";
import { createAdmin } from "./admin.ts";
import { prepareDemo } from "./demo-tenant.ts";
import { startEcho } from "./echo.ts";
import { startEngine } from "./engine.ts";
import { ROOT } from "./paths.ts";
import { readOrCreateVars, startOptions } from "./vars.ts";

const options = startOptions(process.env) ?? fail(["PORT is not a port number."]);
const { port } = options;
const stateDirectory = resolve(ROOT, options.stateDirectory);

const vars: Record<string, string> = {
  ...options.vars,
  ...readOrCreateVars(join(ROOT, ".dev.vars")),
};
const parsed = parseConfig(vars);
if (!parsed.ok) fail(parsed.faults.map((fault) => `.dev.vars: ${fault}`));

let stopping = false;
let end = async (): Promise<void> => {}; // an engine that is just starting ends with this process
// The program that started this one is gone, perhaps by now.
process.on("disconnect", () => void stop());
if (process.connected === false) process.exit(0);

const echo = await startEcho((line) => console.log(line));
const engine = await startEngine({
  port,
  stateDirectory,
  vars,
  onLine: (line) => console.error(line),
}).catch((error: unknown) => fail([whyNot(error)]));

end = async () => {
  await engine.stop();
  await echo.stop();
};

const demo = await prepareDemo(createAdmin(engine.url, vars.ADMIN_TOKEN ?? ""), echo.url).then(
  ({ curl }) => `Send a signed webhook to the demo tenant; what its target receives is printed here:

${curl(engine.url)}
`,
  // It is for a first look only: whoever has the router for something else is served.
  (error: unknown) => `The demo tenant is not prepared: ${whyNot(error)}`,
);

console.log(`Signalbox listens at ${engine.url}
The admin token is ADMIN_TOKEN in .dev.vars. State is kept in ${stateDirectory}.

${demo}`);

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await end();
  process.exit(0);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.removeAllListeners(signal); // Miniflare's own would end the process at once, not with 0
  process.on(signal, () => void stop());
}

/** The engine's own advice for a port in use names an option that this program does not have. */
function whyNot(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /EADDRINUSE|address already in use/i.test(message)
    ? `Port ${port} is in use. Choose another: PORT=8788 npm start.`
    : message;
}

function fail(lines: readonly string[]): never {
  for (const line of lines) console.error(line);
  process.exit(1);
}
