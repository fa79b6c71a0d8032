/** Bugs to plant into sagas, each of which some seed must catch; core/saga/model.ts has those of the decisions. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const WATCH = "src/flows/saga-watch.ts";
const SEND = "src/flows/saga-send.ts";
const REQUESTS = "src/flows/saga-requests.ts";
const DEFINITION = "src/core/saga/definition.ts";
const FOLD = "src/core/saga/fold.ts";
const GATE = "src/flows/saga-gate.ts";
const PLAN = "src/core/saga/plan.ts";
const STEP = "src/core/saga/step-plan.ts";
const UNDO = "src/core/saga/undo-plan.ts";

export const PLANTED_IN_SAGAS: readonly PlantedBug[] = [
  bug(
    "the attempt's number is in the key",
    SEND,
    "return keyOf(start.id, step.name, call.direction, epoch);",
    "return keyOf(start.id, step.name, call.direction, epoch + request.token);",
  ),
  bug(
    "an undo is registered when its action has succeeded",
    UNDO,
    'startOrder !== null && (undo === "none"',
    'startOrder !== null && state.forward === "succeeded" && (undo === "none"',
  ),
  bug(
    "a request has other bytes at each attempt",
    SEND,
    'ports.text.encode(content ?? "")',
    "ports.text.encode(`${content}${request.token}`)",
  ),
  bug("an alarm is set to now", WATCH, "Math.max(wakeAtMs, clock.nowMs() + 1)", "clock.nowMs()"),
  bug("a pause holds up nothing", PLAN, " || pausedAtMs !== null) return", ") return"),
  bug(
    "what was started first is undone first",
    UNDO,
    "if (isLeft && startOrder > (steps[at]?.startOrder ?? -1)) at = index;",
    "if (isLeft && at === -1) at = index;",
  ),
  bug(
    "a process that died in its request is taken for one that never made it",
    FOLD,
    'case "request": {\n      const { startOrder } = instance.steps[entry.step] ?? FRESH;',
    'case "request": {\n      if (entry.rendered !== undefined && atMs % 2 === 0) return instance;\n      const { startOrder } = instance.steps[entry.step] ?? FRESH;',
  ),
  bug(
    "a step in doubt is undone without being settled",
    UNDO,
    'settle === "tombstone" && compensate !== null;',
    "compensate !== null;",
  ),
  bug(
    "an answer needs no token",
    FOLD,
    "return entry.token === step.token ? answered(step, entry) : step;",
    "return answered(step, entry);",
  ),
  bug(
    "no alarm stands behind a drive",
    WATCH,
    "const isWatched = aheadMs >= SAGA_WATCHDOG_MS / 2 && aheadMs <= SAGA_WATCHDOG_MS;",
    "const isWatched = true;",
  ),
  bug(
    "a crash publishes another event",
    REQUESTS,
    "key: keyOf(start.id, step.name, call.direction, epoch),",
    "key: keyOf(start.id, step.name, call.direction, epoch + request.token),",
  ),
  bug(
    "a child that has completed is left as it is",
    DEFINITION,
    'saga === undefined ? null : { kind: "undo-saga", name: saga.name }',
    "saga === undefined ? null : (null as Act | null)",
  ),
  bug(
    "a step that waits is taken for one that has done nothing",
    UNDO,
    'return awaited(instance, step, at, "action", nowMs);\n    case "started":',
    'return decide({ kind: "no-undo", step: at });\n    case "started":',
  ),
  bug(
    "a held step ignores when it is due",
    STEP,
    "if (state.dueAtMs !== null && state.dueAtMs > nowMs) return sleep(state.dueAtMs);\n  const isDied",
    "if (state.held === null && state.dueAtMs !== null && state.dueAtMs > nowMs) return sleep(state.dueAtMs);\n  const isDied",
  ),
  bug(
    "an undo that ends a wait does not rest while it is held",
    UNDO,
    'return state.undo === "none" && state.held === null',
    'return state.undo === "none"',
  ),
  bug(
    "a closed target is called",
    GATE,
    "if (target.closed !== null) {",
    'if (target.closed === "disabled") {',
  ),
  bug(
    "a gate that does not answer lets all through",
    GATE,
    "if (!target.gate.isSet && !receivers.isInTrouble(key, clock.nowMs())) return open(unasked);",
    "if (!receivers.isInTrouble(key, clock.nowMs())) return open(unasked);",
  ),
  bug(
    "what is held is an attempt that is made",
    REQUESTS,
    "record.note([...held, ...intents]);",
    'record.note([...held.map(({ step }): Entry => ({ kind: "request", step, direction: "action" })), ...intents]);',
  ),
];
