/** The gate of a target, as the one object uses it that keeps its state. */
export { acquire } from "./acquire.ts";
export { next, parked, parkedCount, released } from "./backlog.ts";
export { failedSinceMs } from "./breaker.ts";
export { expecting, missed } from "./expected.ts";
export { forgiven } from "./forgiven.ts";
export { CONFIG_DEFAULT, isBefore, opened, stateFor } from "./known.ts";
export { report } from "./report.ts";
export { newGate } from "./state.ts";
export { isForgettable, isQuiet, limits } from "./view.ts";
export { attend, attendAll } from "./waiting.ts";
