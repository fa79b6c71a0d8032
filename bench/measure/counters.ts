/** The router's own counters, by event: what they count is the same on every machine. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Router } from "../systems.ts";
import { figure } from "./table.ts";

export type Counters = Readonly<Record<string, number>>;

/** The counters once they stand still; asking for them changes none. */
export async function readCounters({ admin }: Pick<Router, "admin">): Promise<Counters> {
  for (let last = ""; ; ) {
    const { body } = await admin.get("counters");
    const now = JSON.stringify(body);
    if (now === last) return body;
    last = now;
    await sleep(100);
  }
}

/** Names of counters with what one of them stands for. */
const SHOWN = [
  ["d1_rows_written", "D1 rows"],
  ["d1_round_trips", "D1 trips"],
  ["queue_messages", "queue msgs"],
  ["durable_object_calls", "DO calls"],
  ["outbox_rows", "outbox rows"],
  ["r2_puts", "R2 puts"],
] as const;

export const COUNTER_HEAD: readonly string[] = SHOWN.map(([, label]) => label);

/** What was counted between two readings, divided by the events accepted between them. */
export function perEvent(before: Counters, after: Counters): Counters {
  const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  const events = Math.max(1, grown("events_accepted"));
  return Object.fromEntries(Object.keys(after).map((name) => [name, grown(name) / events]));
}

export const counterCells = (counters: Counters): string[] =>
  SHOWN.map(([name]) => figure(counters[name] ?? Number.NaN, 3));
