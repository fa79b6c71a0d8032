/** The gate of a target, as those use it who ask it, and tell it what came of it. */
export type { GateAnswer, Grant, Refusal } from "./acquire.ts";
export { type AskedWait, leftMs, longer, NO_WAIT } from "./asked-wait.ts";
export type { Next } from "./backlog.ts";
export type { Ask } from "./caps.ts";
export { halfInTurn, inTurn, type ParkedTarget } from "./in-turn.ts";
export { isTrouble, type OutcomeKind, outcomeKind } from "./outcome.ts";
export { nextTurn, type Turns } from "./pace.ts";
export type { GateReport, Outcomes } from "./report.ts";
export {
  type GateConfig,
  type GateReason,
  type GateState,
  totalOf,
} from "./state.ts";
