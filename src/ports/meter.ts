/** Counters of what the program did and what it cost; exact, per isolate, never reset. */
import type { QueueName } from "../core/priority.ts";

export const COUNTERS = [
  "events_accepted",
  "events_refused",
  "events_duplicate",
  "events_demoted",
  "deliveries_attempted",
  "deliveries_delivered",
  "deliveries_failed",
  "d1_round_trips",
  "d1_rows_read",
  "d1_rows_written",
  "durable_object_calls",
  "durable_object_rows_written",
  "dns_lookups",
  "queue_messages",
  "queue_sends",
  "queue_batches",
  "outbox_rows",
  "r2_puts",
  "r2_gets",
  "r2_lists",
] as const;
export type Counter = (typeof COUNTERS)[number];

/** Events put into a queue and deliveries made from it. */
export type Flow = `${"in" | "out"}_${QueueName}`;

export interface Meter {
  add(counter: Counter, amount?: number): void;
  read(): Readonly<Record<Counter, number>>;
  /** Notes that `amount` things went by at `nowMs`. */
  passed(flow: Flow, amount: number, nowMs: number): void;
  /** Per second over the last minute, as this isolate saw it. */
  rate(flow: Flow, nowMs: number): number;
}
