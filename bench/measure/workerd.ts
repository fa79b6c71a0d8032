/** The CPU time of the runtime's process, as Linux counts it; elsewhere there is none. */
import { readdirSync, readFileSync } from "node:fs";

/** USER_HZ, in which proc(5) gives times to every program. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly command: string;
  readonly parent: number;
  readonly cpuMs: number;
}

function readStat(pid: string): Stat | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null; // it ended, or this is no Linux
  }
  const close = stat.lastIndexOf(")"); // a command may hold spaces and parentheses
  const fields = stat.slice(close + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    command: stat.slice(stat.indexOf("(") + 1, close),
    parent: Number(fields[1]),
    cpuMs: (ticks * 1_000) / TICKS_PER_SECOND,
  };
}

/** Ids of this process's own runtimes. */
export function workerdPids(): ReadonlySet<string> {
  if (process.platform !== "linux") return new Set();
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return new Set(
    pids.filter((pid) => {
      const stat = readStat(pid);
      return stat?.command === "workerd" && stat.parent === process.pid;
    }),
  );
}

/** User and system time so far; NaN where the system does not tell. */
export function cpuMsOf(pid: string | undefined): number {
  return (pid === undefined ? null : readStat(pid))?.cpuMs ?? Number.NaN;
}
