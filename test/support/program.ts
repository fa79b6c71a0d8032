/** The router as `npm start` runs it: processes of its own on a state directory, which a test can kill. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Admin, createAdmin } from "../../src/local/admin.ts";
import { readOrCreateVars } from "../../src/local/vars.ts";
import { eventually } from "./wait.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_MS_MAX = 50_000;

/** As soon as it is spawned, which is long before it takes requests. */
export interface Starting {
  /** Tells the process that was started to end; answers its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Kills processes of it without warning: all, or those whose command line has this in it. */
  kill(part?: string): Promise<void>;
  /** Command lines of its processes that still run. */
  running(): string[];
  /** Resolves when it takes requests. */
  ready(): Promise<Program>;
}

export interface Program extends Starting {
  readonly url: string;
  readonly admin: Admin;
  send(path: string, init?: RequestInit): Promise<Response>;
}

/** What opens the admin routes of every program that is started here. */
export const adminToken = (): string => readOrCreateVars(join(ROOT, ".dev.vars")).ADMIN_TOKEN ?? "";

export const startProgram = (stateDirectory: string): Promise<Program> =>
  spawnProgram(stateDirectory).ready();

export function spawnProgram(stateDirectory: string, port = 0, root = ROOT): Starting {
  // What it leaves behind when it is killed goes with the state.
  const temporary = join(stateDirectory, "tmp");
  mkdirSync(temporary, { recursive: true });
  // A process group of its own, so that each of its processes can be found again.
  const child = spawn(process.execPath, [join(root, "src/local/run.mjs"), "start"], {
    cwd: root,
    detached: true,
    env: { ...process.env, PORT: `${port}`, SIGNALBOX_STATE: stateDirectory, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const processes = () => processesOf(child.pid ?? 0);
  async function kill(part = ""): Promise<void> {
    const doomed = processes().filter(({ command }) => command.includes(part));
    for (const { pid } of doomed) killNow(pid);
    await eventually(
      async () => processes().filter(({ pid }) => doomed.some((one) => one.pid === pid)),
      (left) => left.length === 0,
    );
  }
  const address = addressOf(child);
  address.catch(() => {}); // told to whoever asks for it
  const starting: Omit<Starting, "ready"> = {
    async end(signal) {
      child.kill(signal);
      if (!hasEnded(child)) await once(child, "exit");
      return child.exitCode;
    },
    kill,
    running: () => processes().map(({ command }) => command),
  };
  async function ready(): Promise<Program> {
    const url = await address.catch(async (error: unknown) => {
      await kill();
      throw error;
    });
    return {
      ...starting,
      ready,
      url,
      admin: createAdmin(url, adminToken()),
      send: (path, init) => fetch(`${url}/in/${path}`, { method: "POST", ...init }),
    };
  }
  return { ...starting, ready };
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

async function addressOf(child: ChildProcess): Promise<string> {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const address = await eventually(
    async () => /listens at (\S+)/.exec(said)?.[1] ?? (hasEnded(child) ? "ended" : null),
    (found) => found !== null,
    START_MS_MAX,
  );
  if (address === null || address === "ended") throw new Error(`It does not start:\n${said}`);
  return address;
}

/** The living processes of a group. */
function processesOf(group: number): { pid: number; command: string }[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,pgid=,stat=,args="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [pid, of, state, ...command] = line.trim().split(/\s+/);
    if (Number(of) !== group || state?.startsWith("Z") === true) return [];
    return [{ pid: Number(pid), command: command.join(" ") }];
  });
}
