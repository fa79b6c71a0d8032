/** The states of a delivery, the moves between them (every other is our bug), and how many settle together. */
import { SETTLE_GROUP_MAX } from "./limits.ts";

export const DELIVERY_STATES = [
  "pending",
  "delivering",
  "delivered",
  "retrying",
  "parked",
  "dead",
  "cancelled",
] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

const MOVES: Readonly<Record<DeliveryState, readonly DeliveryState[]>> = {
  // Dead once more: the redrive that brought it here was cancelled.
  pending: ["delivering", "parked", "cancelled", "dead"],
  // Back to pending: its lease ended without an answer, so that attempt is not counted.
  delivering: ["delivered", "retrying", "parked", "dead", "cancelled", "pending"],
  retrying: ["delivering", "parked", "cancelled", "dead"],
  // Delivered by whoever pulled it, in whose hands it stays parked.
  parked: ["pending", "cancelled", "dead", "delivered"],
  // Redriven or given up by a person.
  dead: ["pending", "cancelled"],
  // To be pulled once more: a seek went back behind it.
  delivered: ["parked"],
  cancelled: ["pending", "parked"],
};

/** Whether a delivery may go from one state to the other. */
export const mayMove = (from: DeliveryState, to: DeliveryState): boolean =>
  MOVES[from].includes(to);

/** Nothing more is done for a delivery in such a state unless a person asks for it. */
export const isFinal = (state: DeliveryState): boolean =>
  state === "delivered" || state === "dead" || state === "cancelled";

/** States in which the sweeper must find a delivery if its message is lost. */
export const OWED_STATES = ["pending", "delivering", "retrying"] as const;

/**
 * How many of a batch's results are written together. What a crash repeats is at most a group, and what
 * a group saves is a round trip: small batches settle nearly one by one, large ones in few writes.
 */
export const settleGroupMax = (results: number): number =>
  Math.max(1, Math.min(SETTLE_GROUP_MAX, Math.ceil(results / 8)));
