/** Deliveries that ask for their turn. */
import type { OrderMode } from "../../src/core/order/order.ts";
import { type FirstClaim, keyOf } from "../../src/ports/claim.ts";
import type { TurnAsk } from "../../src/ports/turns.ts";
import { resultOf } from "./ledgers.ts";

export const BASE_MS = Date.UTC(2026, 0, 1);
let keys = 0;
export const freshKey = (): string => {
  keys += 1;
  return `key${String(keys).padStart(17, "0")}`;
};

export const askOf = (
  first: FirstClaim,
  key: string,
  mode: OrderMode,
  sketch: Partial<TurnAsk> = {},
): TurnAsk => {
  const { tenant, receivedAtMs, event, subscription, rule, target, priority, source, type } =
    resultOf(first);
  const value = mode === "fifo" ? null : `t${first.receivedAtMs}`;
  return {
    ...{ tenant, receivedAtMs, event, subscription, rule, target, priority, source, type },
    ...{ attempts: 0, claimedBy: "event", place: { mode, key, value } },
    ...sketch,
  };
};
export const keyOfFirst = (first: FirstClaim) => keyOf(resultOf(first));
