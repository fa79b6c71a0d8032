/** How the rows of the ledger in memory stand. */
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import type { DeliveryRow, RowInOrder } from "./memory-ledger.ts";

/** The same token wrote this before: the answer of the first time was lost. */
export const isRepeat = (
  row: DeliveryRow,
  { state, attempts }: Pick<DeliveryResult, "state" | "attempts">,
): boolean => row.state === state && row.attempts === attempts;

/** Nobody else has it. */
export const isWaitingForTurn = ({ state, dueAtMs, order }: DeliveryRow): boolean =>
  state === "parked" && dueAtMs === null && order?.isWaiting === true;

export const inOrder = ({ key, value }: Pick<RowInOrder, "key" | "value">): RowInOrder => ({
  ...{ key, value, turn: null, isWaiting: false, mayHaveBegun: false },
});

/** From now on: one that it had under another token than `token` is kept in mind. */
export const turnOf = (
  order: RowInOrder,
  token: string,
  next: Pick<RowInOrder, "turn" | "isWaiting">,
): RowInOrder => ({
  ...order,
  ...next,
  mayHaveBegun: order.mayHaveBegun || (order.turn !== null && order.turn !== token),
});

export const isOwed = ({ state }: DeliveryRow): boolean =>
  state === "pending" || state === "delivering" || state === "retrying";

/** Where it waits for a person. */
export const isShelved = ({ state }: DeliveryRow): boolean =>
  state === "parked" || state === "dead";
