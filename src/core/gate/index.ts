/** The gate of a target, as others use it. */
export { acquire, type GateAnswer, type Grant, type Refusal } from "./acquire.ts";
export { type AskedWait, leftMs, longer, NO_WAIT } from "./asked-wait.ts";
export { type Next, next, parked, parkedCount, released } from "./backlog.ts";
export type { Ask } from "./caps.ts";
export { forgiven } from "./forgiven.ts";
export { halfInTurn, inTurn, type ParkedTarget } from "./in-turn.ts";
export { isTrouble, type OutcomeKind, outcomeKind } from "./outcome.ts";
export { nextTurn, type Turns } from "./pace.ts";
export { type GateReport, type Outcomes, report } from "./report.ts";
export {
  GATE_REASONS,
  type GateConfig,
  type GateReason,
  type GateState,
  newGate,
} from "./state.ts";
export { isForgettable, isQuiet, type Limitation, limits } from "./view.ts";
export { attend, attendAll } from "./waiting.ts";
