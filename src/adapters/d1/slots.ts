/** The ledger's tables by slot, and SQL over one of them or over all. Names come from here, never from input. */
import { SLOTS, type Slot, slotOf } from "../../core/generation.ts";

export const eventsOf = (slot: Slot): string => `events_${slot}`;
export const deliveriesOf = (slot: Slot): string => `deliveries_${slot}`;
export const duplicatesOf = (slot: Slot): string => `duplicates_${slot}`;

/** By itself SQLite prefers the primary key here, and walks through all that a tenant was ever sent. */
export const openDeliveriesOf = (slot: Slot): string =>
  `${deliveriesOf(slot)} AS d INDEXED BY ${deliveriesOf(slot)}_open`;

/** One statement for each slot. */
export const perSlot = (statement: (slot: Slot) => string): Readonly<Record<Slot, string>> => ({
  0: statement(0),
  1: statement(1),
  2: statement(2),
});

/**
 * One query over all slots. An ORDER BY after it holds for the whole, and SQLite merges what each slot
 * yields in that order: with a LIMIT no slot is read further than the page needs.
 */
export const acrossSlots = (select: (slot: Slot) => string): string =>
  SLOTS.map(select).join("\nUNION ALL\n");

/** The slots that rows stand in, each with its own; one in all but the last minutes of a generation. */
export function bySlot<Item extends { readonly receivedAtMs: number }>(
  items: readonly Item[],
): [Slot, Item[]][] {
  return SLOTS.flatMap((slot): [Slot, Item[]][] => {
    const own = items.filter(({ receivedAtMs }) => slotOf(receivedAtMs) === slot);
    return own.length === 0 ? [] : [[slot, own]];
  });
}
