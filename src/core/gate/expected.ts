/** What a gate has let go, and is to come to it with its consumers. What is lost on its way is given up in time. */
import { GATE_RELEASE_MS, GATE_TICK_MS } from "../gate-limits.ts";
import { type Counts, type GateState, type Out, totalOf } from "./state.ts";

/** By a clock that went back none lasts longer than it would have. */
const lasting = ({ out = [] }: GateState, nowMs: number): readonly Out[] =>
  out.filter(({ untilMs }) => nowMs < untilMs && untilMs <= nowMs + GATE_RELEASE_MS);

export const expected = (state: GateState, nowMs: number): Counts =>
  lasting(state, nowMs).reduce(plus, { fresh: 0, retries: 0 });

/** So many more are let go now. */
export function expecting(state: GateState, more: Counts, nowMs: number): GateState {
  const untilMs = nowMs + GATE_RELEASE_MS;
  const known = lasting(state, nowMs);
  const last = known.at(-1);
  // Those of one second end together: there are never many.
  if (last === undefined || untilMs >= last.untilMs + GATE_TICK_MS)
    return { ...state, out: [...known, { ...more, untilMs }] };
  return { ...state, out: [...known.slice(0, -1), { ...last, ...plus(last, more) }] };
}

/** So many of those have come that were let go first. */
export const arrived = (state: GateState, some: Counts, nowMs: number): GateState => ({
  ...state,
  out: without(lasting(state, nowMs), some),
});

/** So many of those that were let go last were not there. */
export const missed = (state: GateState, some: Counts, nowMs: number): GateState => ({
  ...state,
  out: without(lasting(state, nowMs).toReversed(), some).toReversed(),
});

const plus = (one: Counts, other: Counts): Counts => ({
  fresh: one.fresh + other.fresh,
  retries: one.retries + other.retries,
});

function without(out: readonly Out[], some: Counts): Out[] {
  let { fresh, retries } = some;
  const left = out.map((each) => {
    const [ofFresh, ofRetries] = [Math.min(each.fresh, fresh), Math.min(each.retries, retries)];
    fresh -= ofFresh;
    retries -= ofRetries;
    return { ...each, fresh: each.fresh - ofFresh, retries: each.retries - ofRetries };
  });
  return left.filter((each) => totalOf(each) > 0);
}
