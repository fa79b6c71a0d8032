/** Time, chance, log lines and counters of one isolate. */
import type { Clock, Random } from "../ports/clock.ts";
import type { Log, LogFields } from "../ports/log.ts";
import { COUNTERS, type Counter, type Flow, type Meter } from "../ports/meter.ts";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  timer(ms) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = setTimeout(resolve, ms);
    return { elapsed: promise, cancel: () => clearTimeout(id) };
  },
};

export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  unit: () => Math.random(),
};

/** One JSON line each, which Workers Logs indexes by field. */
export const consoleLog: Log = {
  info: (event, fields) => console.log(line("info", event, fields)),
  warn: (event, fields) => console.warn(line("warn", event, fields)),
  error: (event, fields) => console.error(line("error", event, fields)),
};

const line = (level: string, event: string, fields: LogFields = {}): string =>
  JSON.stringify({ level, event, ...fields });

/** Rates are kept in buckets of a second over this many of them. */
const RATE_SECONDS = 60;

export function createMeter(): Meter {
  const counts = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<Counter, number>;
  const flows = new Map<Flow, { second: number; amount: number }[]>();

  function recent(flow: Flow, nowMs: number): { second: number; amount: number }[] {
    const first = Math.floor(nowMs / 1_000) - RATE_SECONDS;
    const buckets = (flows.get(flow) ?? []).filter(({ second }) => second > first);
    flows.set(flow, buckets);
    return buckets;
  }

  return {
    add(counter, amount = 1) {
      counts[counter] += amount;
    },
    read: () => ({ ...counts }),
    passed(flow, amount, nowMs) {
      const second = Math.floor(nowMs / 1_000);
      const buckets = flows.get(flow) ?? [];
      const last = buckets.at(-1);
      if (last?.second === second) last.amount += amount;
      else flows.set(flow, [...recent(flow, nowMs), { second, amount }]);
    },
    rate(flow, nowMs) {
      const sum = recent(flow, nowMs).reduce((total, { amount }) => total + amount, 0);
      return Math.round((100 * sum) / RATE_SECONDS) / 100;
    },
  };
}
