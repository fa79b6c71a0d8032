/** Log lines to read and chance to repeat. */
import type { Random } from "../../src/ports/clock.ts";
import type { Log, LogFields } from "../../src/ports/log.ts";

export interface Line extends LogFields {
  readonly level: string;
  readonly event: string;
}

export interface MemoryLog extends Log {
  readonly lines: Line[];
  /** Lines of one kind. */
  of(event: string): Line[];
}

export function createMemoryLog(): MemoryLog {
  const lines: Line[] = [];
  const write =
    (level: string) =>
    (event: string, fields: LogFields = {}): void =>
      void lines.push({ ...fields, level, event });
  return {
    lines,
    of: (event) => lines.filter((line) => line.event === event),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

/** The same numbers for the same seed (mulberry32). */
export function createSeededRandom(seed: number): Random {
  let state = seed;
  function unit(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  return { unit, bytes: (count) => Uint8Array.from({ length: count }, () => unit() * 256) };
}
