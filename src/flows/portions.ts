/** What of a batch is claimed at once: packs hold many events, and a large claim holds up every other in the ledger. */
import { CLAIM_MAX, MESSAGES_OPENED_MAX } from "../core/limits.ts";
import { type OpenedBatch, openMessages, type QueueMessage } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

/**
 * In order, whole messages each: as many as have no more than `CLAIM_MAX` events and deliveries, or one. They are
 * opened as they are asked for, so that what reads thousands of events is no single stretch of work.
 */
export async function* portionsOf(
  messages: readonly QueueMessage[],
  ports: DeliverPorts,
): AsyncGenerator<OpenedBatch, void> {
  let portion: OpenedBatch = { messages: [], events: [] };
  let room = CLAIM_MAX;
  for (let at = 0; at < messages.length; at += MESSAGES_OPENED_MAX) {
    const some = await openMessages(messages.slice(at, at + MESSAGES_OPENED_MAX), ports);
    const held = Map.groupBy(some.events, ({ open }) => open);
    for (const open of some.messages) {
      const own = held.get(open) ?? [];
      const claims = own.reduce((sum, { again }) => sum + (again?.length ?? 1), 0);
      if (portion.messages.length > 0 && claims > room) {
        yield portion;
        portion = { messages: [], events: [] };
        room = CLAIM_MAX;
      }
      room -= claims;
      portion.messages.push(open);
      portion.events.push(...own);
    }
  }
  if (portion.messages.length > 0) yield portion;
}
