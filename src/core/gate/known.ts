/** What a gate holds against a target as it is configured now: a target that was made anew begins with nothing. */
import { GATE_CONCURRENCY_DEFAULT } from "../gate-limits.ts";
import { type GateConfig, type GateState, newGate } from "./state.ts";

export interface KnownGate {
  readonly config: GateConfig;
  readonly state: GateState;
}

/** Of a gate that nobody has told its limits. */
export const CONFIG_DEFAULT: GateConfig = {
  ...{ concurrency: GATE_CONCURRENCY_DEFAULT, perSecond: null, perDay: null, isAdaptive: false },
};

/** Whether `one` was known of a target that was there before the one `other` is of; not where nobody said when. */
export const isBefore = (one: GateConfig, other: GateConfig): boolean =>
  one.bornAtMs !== undefined && other.bornAtMs !== undefined && one.bornAtMs < other.bornAtMs;

const isOlder = ({ version: one }: GateConfig, { version: other }: GateConfig): boolean =>
  one !== undefined && other !== undefined && one < other;

const areOther = (one: GateConfig, other: GateConfig): boolean =>
  one.perDay !== other.perDay ||
  one.perSecond !== other.perSecond ||
  one.concurrency !== other.concurrency;

/** The state for limits of `config`; null = nothing is kept, or of a target that is no more. */
export const stateFor = (kept: KnownGate | null, config: GateConfig): GateState | null =>
  kept === null || isBefore(kept.config, config) ? null : kept.state;

/** Who still knows a target as it was, or one of its name that was there before, is told by the limits of now. */
export function opened(kept: KnownGate | null, config: GateConfig, nowMs: number): KnownGate {
  const known = kept?.config ?? CONFIG_DEFAULT;
  const isPast = isBefore(config, known) || isOlder(config, known);
  const state = stateFor(kept, config) ?? newGate(nowMs);
  // A refusal by other limits holds no batch back.
  const batch =
    state.batch !== undefined && areOther(known, config)
      ? { ...state.batch, notBeforeMs: 0 }
      : state.batch;
  return { config: isPast ? known : config, state: { ...state, batch } };
}
