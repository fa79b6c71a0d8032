/** What goes wrong in one run, and when it ends: drawn from the seed, another mixture for each. */
import type { OutboxMode } from "../../src/flows/enqueue.ts";
import type { Chance } from "./chance.ts";

/** What a call may go to. Ledger and configuration are both in D1. */
export type Service = "ledger" | "tenants" | "queues" | "outbox" | "archive" | "limiter" | "http";

export interface Outage {
  readonly services: readonly Service[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly as: "errors" | "hangs";
}

export interface Weather {
  readonly mode: OutboxMode;
  /** Nothing goes wrong from then on; milliseconds since the start, as all times here. */
  readonly endsAtMs: number;
  /** Shares of all calls. */
  readonly failsBefore: number;
  readonly failsAfter: number;
  readonly hangs: number;
  readonly crashes: number;
  readonly stalls: number;
  readonly slow: number;
  /** How long a message is on its way, in good weather too: a queue may be slower than the stores or faster. */
  readonly queueLagMs: number;
  /** Shares of all queue messages. */
  readonly duplicates: number;
  readonly drops: number;
  readonly outages: readonly Outage[];
  readonly alarms: { readonly twice: number; readonly late: number; readonly never: number };
  readonly cronMissed: number;
  /** Moments at which every isolate ends at once, and in `always` the queue forgets everything. */
  readonly restartsAtMs: readonly number[];
  /** Moments at which the outbox's object ends; its rows stay. */
  readonly objectDeathsAtMs: readonly number[];
  readonly clockJumpsAtMs: readonly number[];
  readonly retriesMax: number;
}

const SECOND = 1_000;
const QUEUE_RETRIES_MAX = 100;

const OUTAGES: readonly (readonly Service[])[] = [
  ["ledger", "tenants"],
  ["ledger", "tenants"],
  ["queues"],
  ["outbox"],
  ["queues", "outbox"],
  ["archive"],
  ["limiter"],
  ["http"],
];

/** Each kind of fault is in about half of the runs; in some runs there is none. */
export function drawWeather(chance: Chance): Weather {
  const mode = chance.happens(0.5) ? "always" : "on-failure";
  const queueLagMs = chance.pick([0, 20, 1_500]);
  if (chance.happens(0.06)) return { ...CALM, mode, queueLagMs };
  const endsAtMs = chance.between(60, 240) * SECOND;
  const maybe = (...shares: number[]): number => (chance.happens(0.4) ? chance.pick(shares) : 0);
  const moments = (share: number): number[] =>
    chance.happens(share)
      ? Array.from({ length: chance.between(1, 2) }, () => chance.between(1_000, endsAtMs))
      : [];
  const outages: Outage[] = [];
  while (chance.happens(0.3)) {
    const fromMs = chance.between(0, endsAtMs / 2);
    const toMs = Math.min(endsAtMs, fromMs + chance.pick([1, 5, 30, 200, 400]) * SECOND);
    const as = chance.happens(0.8) ? "errors" : "hangs";
    outages.push({ services: chance.pick(OUTAGES), fromMs, toMs, as });
  }
  return {
    mode,
    endsAtMs,
    queueLagMs,
    failsBefore: maybe(0.01, 0.05, 0.2),
    failsAfter: maybe(0.01, 0.05, 0.2),
    hangs: maybe(0.01, 0.05),
    crashes: maybe(0.01, 0.04),
    stalls: maybe(0.005, 0.02),
    slow: maybe(0.02, 0.1),
    duplicates: maybe(0.1, 0.4),
    drops: mode === "always" ? maybe(0.1, 0.5) : 0,
    outages,
    alarms: { twice: maybe(0.3), late: maybe(0.3), never: maybe(0.3) },
    cronMissed: maybe(0.2, 0.6),
    restartsAtMs: moments(0.15),
    objectDeathsAtMs: moments(0.15),
    clockJumpsAtMs: moments(0.15),
    retriesMax: chance.happens(0.1) ? chance.between(1, 3) : QUEUE_RETRIES_MAX,
  };
}

const CALM: Omit<Weather, "mode" | "queueLagMs"> = {
  ...{ endsAtMs: 0, failsBefore: 0, failsAfter: 0, hangs: 0, crashes: 0, stalls: 0, slow: 0 },
  ...{ duplicates: 0, drops: 0, outages: [], alarms: { twice: 0, late: 0, never: 0 } },
  ...{
    cronMissed: 0,
    restartsAtMs: [],
    objectDeathsAtMs: [],
    clockJumpsAtMs: [],
    retriesMax: QUEUE_RETRIES_MAX,
  },
};

/** The platform's own words (Cloudflare's documentation of D1, Queues, R2 and Durable Objects). */
export const ERROR_TEXTS: Readonly<Record<Service, readonly string[]>> = {
  ledger: ["D1 DB is overloaded. Too many requests queued.", "Network connection lost."],
  tenants: ["D1 DB is overloaded. Too many requests queued.", "Network connection lost."],
  queues: ["Queue is overloaded. Please back off.", "Network connection lost."],
  outbox: ["Durable Object is overloaded. Too many requests queued.", "Network connection lost."],
  limiter: ["Durable Object is overloaded. Too many requests queued.", "Network connection lost."],
  archive: ["We encountered an internal error. Please try again. (10001)"],
  http: ["connection reset", "connection refused"],
};
