/** The router of a crash run: processes that are killed, stopped and started again on the same state. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Admin, createAdmin } from "../../src/local/admin.ts";
import { randomVars } from "../../src/local/vars.ts";
import { eventually } from "../support/wait.ts";
import type { HostMessage, HostOptions } from "./host.ts";

/** Until the engine takes requests again; a machine with much else to do needs most of it. */
const BACK_MS_MAX = 90_000;
const POLL_MS = 10;

export interface RouterProcess {
  /** Where it listens, or listened until it was killed. */
  url(): string;
  admin(): Admin;
  /** Each answers, once it is over, how long the router took to be back, in milliseconds. */
  killEngine(): Promise<number>;
  killGroup(downMs: number): Promise<number>;
  pauseEngine(forMs: number): Promise<number>;
  stop(): Promise<void>;
}

/** Its log goes to `router.log` in the directory; the state lies beside it. */
export async function startRouterProcess(
  directory: string,
  buildDirectory: string,
): Promise<RouterProcess> {
  const vars = randomVars();
  const temporary = join(directory, "tmp");
  mkdirSync(temporary, { recursive: true });
  let host: ChildProcess | null = null;
  let url = "";
  let enginePid: number | null = null;

  async function start(port: number): Promise<void> {
    const log = openSync(join(directory, "router.log"), "a");
    const child = fork(fileURLToPath(new URL("host.ts", import.meta.url)), {
      detached: true, // a group of its own
      execArgv: [],
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    host = child;
    let isReady = false;
    child.on("message", (message: HostMessage) => {
      if ("url" in message) {
        url = message.url;
        isReady = true;
      } else {
        enginePid = message.enginePids[0] ?? null;
      }
    });
    const options: HostOptions = {
      ...{ port, buildDirectory, vars },
      stateDirectory: join(directory, "state"),
    };
    child.send(options);
    await back(() => isReady);
  }

  async function back(isBack: () => boolean): Promise<void> {
    const poll = async (): Promise<boolean> => {
      if (host?.exitCode != null) throw new Error("The router has ended by itself.");
      await sleep(POLL_MS);
      return isBack();
    };
    await eventually(poll, (yes) => yes, BACK_MS_MAX);
  }

  /** The engine may just be on its way up; a fault waits for it. */
  async function engine(): Promise<number> {
    await back(() => enginePid !== null);
    return enginePid ?? 0;
  }

  async function endGroup(): Promise<void> {
    if (host?.pid === undefined) return;
    const ended = host.exitCode === null && host.signalCode === null ? once(host, "exit") : null;
    try {
      process.kill(-host.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await ended;
    host = null;
    enginePid = null;
  }

  await start(0).catch(async (error: unknown) => {
    await endGroup();
    throw error;
  });
  return {
    url: () => url,
    admin: () => createAdmin(url, vars.ADMIN_TOKEN ?? ""),
    async killEngine() {
      const pid = await engine();
      enginePid = null;
      process.kill(pid, "SIGKILL");
      const killedMs = Date.now();
      await back(() => enginePid !== null);
      return Date.now() - killedMs;
    },
    async killGroup(downMs) {
      await engine();
      await endGroup();
      const killedMs = Date.now();
      await sleep(downMs);
      // Where its senders know it; where that port was taken meanwhile, they are told of another.
      await start(Number(new URL(url).port)).catch(async () => {
        await endGroup();
        await start(0);
      });
      return Date.now() - killedMs;
    },
    async pauseEngine(forMs) {
      const pid = await engine();
      process.kill(pid, "SIGSTOP");
      await sleep(forMs);
      process.kill(pid, "SIGCONT");
      return forMs;
    },
    stop: endGroup,
  };
}
