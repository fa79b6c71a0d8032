/** What of a batch is claimed at once: packs hold many events, and a large claim holds up every other in the ledger. */
import { CLAIM_MAX } from "../core/limits.ts";
import type { HeldEvent, OpenedBatch, OpenMessage } from "./open-messages.ts";

/** In order, whole messages each: as many as have no more than `CLAIM_MAX` events and deliveries, or one. */
export function portionsOf({ messages, events }: OpenedBatch): OpenedBatch[] {
  const held = Map.groupBy(events, ({ open }) => open);
  const portions: { messages: OpenMessage[]; events: HeldEvent[] }[] = [];
  let room = 0;
  for (const open of messages) {
    const own = held.get(open) ?? [];
    const claims = own.reduce((sum, { again }) => sum + (again?.length ?? 1), 0);
    if (portions.length === 0 || claims > room) {
      portions.push({ messages: [], events: [] });
      room = CLAIM_MAX;
    }
    room -= claims;
    const portion = portions.at(-1);
    portion?.messages.push(open);
    portion?.events.push(...own);
  }
  return portions;
}
