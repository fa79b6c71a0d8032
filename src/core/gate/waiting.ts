/**
 * Asks that wait at the gate for a slot: what was let go of parking while leases ended comes just before the slots
 * are free. Turned away, it would be parked anew, at seven rows each, and its slots would rest until it came again.
 */

import { PRIORITIES } from "../priority.ts";
import { acquire, type GateAnswer, type Grant } from "./acquire.ts";
import { type Ask, SLOTS_WORTH_IT } from "./caps.ts";
import { isEnding } from "./lease-end.ts";
import type { GateConfig, GateState } from "./state.ts";
import { withClock } from "./upkeep.ts";

/** As `acquire`, but no answer (null) to an ask that may wait for a lease which is about to end. */
export function attend(
  before: GateState,
  config: GateConfig,
  ask: Ask,
  nowMs: number,
): { readonly state: GateState; readonly answer: GateAnswer | null } {
  const acquired = acquire(before, config, ask, nowMs);
  const { state, answer } = acquired;
  const isWorthIt =
    ask.mayWait === true && state.leases.some((lease) => isEnding(state, lease, nowMs));
  if (!isWorthIt) return acquired;
  if (answer.kind === "granted")
    return isSliver(answer) ? { state: before, answer: null } : acquired;
  if (answer.reason !== "concurrency") return acquired;
  // While it waits it is still to come: nothing else is let go in its place.
  return { state: { ...state, out: before.out ?? [] }, answer: null };
}

/** So few slots that an invocation of their own is not worth it, while more are about to be free. */
const isSliver = ({ slots, refused }: Grant): boolean =>
  refused?.reason === "concurrency" && slots < SLOTS_WORTH_IT;

/** Answers those of `waiting` that need not wait any more: the most urgent first, and who waits longest. */
export function attendAll(
  before: GateState,
  config: GateConfig,
  waiting: readonly Ask[],
  nowMs: number,
): { readonly state: GateState; readonly answers: ReadonlyMap<Ask, GateAnswer> } {
  const answers = new Map<Ask, GateAnswer>();
  let state = withClock(before, nowMs);
  for (const ask of waiting.toSorted(byUrgency)) {
    const attended = attend(state, config, ask, nowMs);
    if (attended.answer === null) continue;
    state = attended.state;
    answers.set(ask, attended.answer);
  }
  return { state, answers };
}

const byUrgency = (one: Ask, other: Ask): number =>
  PRIORITIES.indexOf(one.priority) - PRIORITIES.indexOf(other.priority);
