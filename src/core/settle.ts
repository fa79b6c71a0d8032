/** The states of a delivery and the moves between them; every other move is our bug. */

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
  pending: ["delivering", "parked", "cancelled"],
  // Back to pending: its lease ended without an answer, so that attempt is not counted.
  delivering: ["delivered", "retrying", "parked", "dead", "cancelled", "pending"],
  retrying: ["delivering", "parked", "cancelled", "dead"],
  parked: ["pending", "cancelled", "dead"],
  // Redriven by a person.
  dead: ["pending"],
  delivered: [],
  cancelled: ["pending"],
};

/** Whether a delivery may go from one state to the other. */
export const mayMove = (from: DeliveryState, to: DeliveryState): boolean =>
  MOVES[from].includes(to);

/** Nothing more is done for a delivery in such a state unless a person asks for it. */
export const isFinal = (state: DeliveryState): boolean =>
  state === "delivered" || state === "dead" || state === "cancelled";

/** States in which the sweeper must find a delivery if its message is lost. */
export const OWED_STATES = ["pending", "delivering", "retrying"] as const;
