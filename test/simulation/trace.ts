/** What happened: always as a hash, and as lines when somebody is to read it. */
import type { Log } from "../../src/ports/log.ts";

export interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
  readonly detail: string;
}

export interface Trace {
  /** `detail` is asked for only when lines are kept. */
  note(who: string, what: string, detail?: () => string): void;
  readonly lines: readonly Line[];
  readonly hash: string;
}

const LINES_MAX = 20_000;

export function createTrace(nowMs: () => number, isKept: boolean): Trace {
  const lines: Line[] = [];
  let hash = 0x811c9dc5;
  const mix = (value: number): void => {
    hash = Math.imul(hash ^ value, 0x01000193);
  };
  return {
    note(who, what, detail) {
      mix(nowMs() | 0);
      for (let at = 0; at < what.length; at += 1) mix(what.charCodeAt(at));
      for (let at = 0; at < who.length; at += 1) mix(who.charCodeAt(at));
      if (!isKept) return;
      if (lines.length === LINES_MAX) lines.shift();
      lines.push({ atMs: nowMs(), who, what, detail: detail?.() ?? "" });
    },
    lines,
    get hash() {
      return (hash >>> 0).toString(16).padStart(8, "0");
    },
  };
}

/** The program's own log as part of the trace, so that it can be read beside it. */
export function traceLog(trace: Trace, who: string): Log {
  const write =
    (level: string): Log["info"] =>
    (event, fields) =>
      trace.note(who, `log ${level} ${event}`, () => JSON.stringify(fields ?? {}));
  return { info: write("info"), warn: write("warn"), error: write("error") };
}
