/**
 * Slots that are kept free for critical deliveries, so that they find one when they come: as many as they had use for
 * at once lately, and no more than half of all.
 */
import { GATE_URGENT_MS } from "../gate-limits.ts";
import { CONNECTIONS_MAX } from "../limits.ts";
import type { Priority } from "../priority.ts";
import { type GateState, slotsOf, type UrgentUse } from "./state.ts";

/** Of all slots, the most that are kept free. */
const KEPT_SHARE = 0.5;

const heldByUrgent = ({ leases }: GateState): number =>
  slotsOf(leases.filter(({ priority }) => priority === "critical"));

/** What is remembered at `nowMs`. A clock that went back may have seen a time that is yet to come: then nothing is. */
function turned({ urgentUse: known }: GateState, nowMs: number): UrgentUse {
  const passedMs = known === undefined ? 0 : nowMs - known.fromMs;
  if (known === undefined || passedMs < 0 || passedMs >= 2 * GATE_URGENT_MS) {
    return { fromMs: nowMs, slots: 0, before: 0 };
  }
  if (passedMs < GATE_URGENT_MS) return known;
  return { fromMs: known.fromMs + GATE_URGENT_MS, slots: 0, before: known.slots };
}

/** `want` critical deliveries have come: each has use for a slot, as far as one invocation can have them. */
export function urgentCame(state: GateState, want: number, nowMs: number): GateState {
  const slots = heldByUrgent(state) + Math.min(want, CONNECTIONS_MAX);
  const known = turned(state, nowMs);
  return { ...state, urgentUse: { ...known, slots: Math.max(slots, known.slots) } };
}

/** Slots of `limit` that deliveries of this priority leave free. */
export function keptFree(
  state: GateState,
  limit: number,
  priority: Priority,
  nowMs: number,
): number {
  if (priority === "critical" || state.urgentUse === undefined) return 0;
  const { slots, before } = turned(state, nowMs);
  const unused = Math.max(0, Math.max(slots, before) - heldByUrgent(state));
  return Math.min(unused, Math.floor(limit * KEPT_SHARE));
}
