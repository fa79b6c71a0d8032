/**
 * Generations of the ledger: its rows stand in three slots, by the time their event was received, and a slot
 * is emptied whole before it is written again. A row lives for one generation at least and three at most.
 */
import { GENERATION_MS } from "./limits.ts";

export type Slot = 0 | 1 | 2;
/** This generation, the one before it, and the one that is emptied before the next begins. */
export const SLOTS: readonly Slot[] = [0, 1, 2];

export const generationOf = (receivedAtMs: number): number =>
  Math.floor(receivedAtMs / GENERATION_MS);

/** Where the rows of an event stand: by its time alone, so that a row that is kept stays where it is. */
export const slotOf = (receivedAtMs: number): Slot =>
  (((generationOf(receivedAtMs) % 3) + 3) % 3) as Slot;

export interface Expiry {
  /** The generation that comes next; its slot must be empty before. */
  readonly generation: number;
  readonly slot: Slot;
  /** What was received from then on stays, whatever became of it. */
  readonly keepFromMs: number;
}

/** What may go now. */
export function expiryAt(nowMs: number): Expiry {
  const now = generationOf(nowMs);
  const generation = now + 1;
  const slot = slotOf(generation * GENERATION_MS);
  return { generation, slot, keepFromMs: (now - 1) * GENERATION_MS };
}
