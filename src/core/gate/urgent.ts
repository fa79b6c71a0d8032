/**
 * Slots that are kept free for critical deliveries, so that they find one when they come: as many as they had use for
 * at once lately, and no more than half of all.
 */
import { GATE_URGENT_MS } from "../gate-limits.ts";
import { CONNECTIONS_MAX } from "../limits.ts";
import type { Priority } from "../priority.ts";
import { type GateState, slotsOf } from "./state.ts";

/** Of all slots, the most that are kept free. */
const KEPT_SHARE = 0.5;

const heldByUrgent = ({ leases }: GateState): number =>
  slotsOf(leases.filter(({ priority }) => priority === "critical"));

/** A clock that went back may have seen them at a time that is yet to come. */
const isPassed = ({ atMs }: NonNullable<GateState["urgent"]>, nowMs: number): boolean =>
  nowMs < atMs || nowMs >= atMs + GATE_URGENT_MS;

/** `want` critical deliveries have come: each has use for a slot, as far as one invocation can have them. */
export function urgentCame(state: GateState, want: number, nowMs: number): GateState {
  const slots = heldByUrgent(state) + Math.min(want, CONNECTIONS_MAX);
  const known = state.urgent;
  const isMost = known === undefined || isPassed(known, nowMs) || slots >= known.slots;
  return isMost ? { ...state, urgent: { slots, atMs: nowMs } } : state;
}

/** Slots of `limit` that deliveries of this priority leave free. */
export function keptFree(
  state: GateState,
  limit: number,
  priority: Priority,
  nowMs: number,
): number {
  const { urgent } = state;
  if (priority === "critical" || urgent === undefined || isPassed(urgent, nowMs)) return 0;
  const unused = Math.max(0, urgent.slots - heldByUrgent(state));
  return Math.min(unused, Math.floor(limit * KEPT_SHARE));
}
