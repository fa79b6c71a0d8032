/** What the load process is told to send, and what it answers. */
import type { Arrivals } from "./arrivals.ts";

export interface Job {
  readonly origin: string;
  /** Taken in turn. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Set to a fresh value on every request, so that no event is a duplicate. */
  readonly idHeader: string;
  /** What every id of this job begins with. */
  readonly idPrefix: string;
  readonly connections: number;
  /** Starts on a fixed schedule, whatever the answers do; null = each connection sends as fast as it is answered. */
  readonly perSecond: number | null;
  /** Of a schedule; "even" unless said. */
  readonly arrivals?: Arrivals;
  /** In a closed loop: each connection waits until an event has been delivered as well (`Generator.delivered`). */
  readonly waitsForDelivery?: boolean;
  /** It ends after so many requests or so much time, whichever comes first. */
  readonly requestsMax: number;
  readonly msMax: number;
}

/** One more of a running job's events has come to its receiver. */
export const DELIVERED = "delivered";

export interface Sent {
  readonly id: string;
  readonly path: string;
  /** From the intended start to the whole answer. */
  readonly latencyMs: number;
  /** When the answer was there, on the clock of `nowMs`. */
  readonly answeredAtMs: number;
}

export interface Outcome {
  readonly accepted: readonly Sent[];
  /** How many answers, by status, were no 202; 0 stands for a broken connection. */
  readonly refused: Readonly<Record<number, number>>;
  readonly elapsedMs: number;
  /** CPU of the load process as a share of one core: near 1, it measured itself. */
  readonly cpuShare: number;
}

/** One clock for all processes of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
