/**
 * A bounded exhaustive check of the decision core: every run of a saga over receivers that honour keys, with
 * crashes, lost and late requests, lost answers and refusals where a run may have them. Runs are replayed from
 * their choices, depth first, so that none is left out.
 */
import { answerEntry, keyOf } from "../../../src/core/saga/answer.ts";
import { heardBack } from "../../../src/core/saga/callback.ts";
import { commanded } from "../../../src/core/saga/commands.ts";
import type { Act, Saga } from "../../../src/core/saga/definition.ts";
import { fold } from "../../../src/core/saga/fold.ts";
import {
  type Entry,
  type Instance,
  isEnded,
  type Outcome,
  type StepState,
  startInstance,
} from "../../../src/core/saga/instance.ts";
import { plan } from "../../../src/core/saga/plan.ts";
import type { Call } from "../../../src/core/saga/step-plan.ts";

export interface Budget {
  readonly crashes: number;
  readonly faults: number;
  readonly rejections: number;
  /** How often a person overrides a step whose request is under way. */
  readonly commands?: number;
  /** How often a request finds its target closed. */
  readonly holds?: number;
}

/** Ways to build it wrong, each of which the check must find. */
export type Mutant =
  | "the attempt's number is in the key"
  | "an undo is registered when its action has succeeded"
  | "a step in doubt is undone without being settled"
  | "an answer needs no token"
  | "a request is rendered anew for each attempt"
  | "an alarm is set to now"
  | "a step that waits for its callback is taken for one that has no effect"
  | "a held step ignores when it is due";

export interface Receivers {
  /** An undo that comes before its action has it refused. */
  readonly refusesUndone: boolean;
}

export interface Checked {
  readonly runs: number;
  readonly violation: string | null;
}

/** Runs all that the budget allows; stops at the first violation. */
export function check(
  saga: Saga,
  budget: Budget,
  mutant: Mutant | null = null,
  receivers: Receivers = { refusesUndone: false },
): Checked {
  let path: number[] = [];
  for (let runs = 1; runs <= RUNS_MAX; runs += 1) {
    const { made, choose } = replay(path);
    const violation = run(saga, budget, mutant, receivers, choose);
    if (violation !== null) return { runs, violation };
    const next = nextPath(made);
    if (next === null) return { runs, violation: null };
    path = next;
  }
  throw new Error(`more than ${RUNS_MAX} runs`);
}

const RUNS_MAX = 10_000_000;

interface Choice {
  readonly of: number;
  readonly taken: number;
}

function replay(path: readonly number[]) {
  const made: Choice[] = [];
  const choose = (of: number): number => {
    const taken = path[made.length] ?? 0;
    made.push({ of, taken });
    return taken;
  };
  return { made, choose };
}

/** The next run in order: the last choice that has another way takes it. */
function nextPath(made: readonly Choice[]): number[] | null {
  for (let at = made.length - 1; at >= 0; at -= 1) {
    const { of, taken } = made[at] ?? { of: 0, taken: 0 };
    if (taken + 1 < of) return [...made.slice(0, at).map((choice) => choice.taken), taken + 1];
  }
  return null;
}

class Crash extends Error {}

const TURNS_MAX = 300;
/** As `SAGA_WATCHDOG_MS`: what stands behind a drive. */
const WATCHDOG_MS = 10_000;

function run(
  saga: Saga,
  budget: Budget,
  mutant: Mutant | null,
  { refusesUndone }: Receivers,
  choose: (of: number) => number,
): string | null {
  let { crashes, faults, rejections, commands = 0, holds = 0 } = budget;
  /** By step and direction, in the order in which they came about. */
  const effects: string[] = [];
  const answers = new Map<string, { readonly outcome: Outcome; readonly body: string }>();
  const refused = new Set<number>();
  const overridden = new Set<number>();
  /** Requests still on their way. */
  const late: (() => void)[] = [];
  const children = new Map<number, "running" | "done" | "undoing" | "undone">();
  /** What participants have taken on, and still work at. */
  const jobs: (() => void)[] = [];
  let nowMs = 0;
  let alarmMs: number | null = 1;
  let instance = startInstance(saga, null, nowMs);

  const append = (...entries: readonly Entry[]): void => {
    instance = fold(instance, entries, nowMs);
  };
  const mayCrash = (): void => {
    if (crashes === 0 || choose(2) === 0) return;
    crashes -= 1;
    throw new Crash();
  };
  /** A time that is not after the one that is being handled is never woken up for (workerd#6866). */
  const arm = (atMs: number): void => {
    alarmMs = atMs > nowMs ? atMs : null;
  };

  function receive(call: Call, key: string, body: string): Outcome {
    const before = answers.get(key);
    if (before !== undefined) {
      // As providers do: a key with other bytes is a mistake of the caller's.
      return before.body === body ? before.outcome : { kind: "rejected", error: "other bytes" };
    }
    const outcome = act(call);
    answers.set(key, { outcome, body });
    return outcome;
  }

  /** Takes a request on; its callback comes before that is noted, later, twice or, a fault, never. */
  function takeOn(call: Call, key: string, body: string, token: number): void {
    const { step, direction } = call;
    const { name = "" } = saga.steps[step] ?? {};
    const epoch = instance.steps[step]?.epoch ?? 0;
    const address = { id: "s", step: name, direction, epoch, token, expiresAtMs: nowMs + 6_000 };
    const tell = (outcome: Outcome): void => {
      const heard = heardBack(instance, address, outcome, { nowMs, random: 0 });
      if (heard.kind === "taken") append(heard.entry);
    };
    const way = choose(faults > 0 ? 4 : 3);
    if (way === 3) faults -= 1;
    const work = (): void => {
      const outcome = receive(call, key, body);
      if (way === 3) return;
      tell(outcome);
      if (way === 1) tell(outcome);
    };
    if (way === 2) work();
    else jobs.push(work);
  }

  /** Starts the step's child, once, or asks how it stands, or has it undone: what it does then is done later. */
  function askChild({ step, direction }: Call): Outcome | "accepted" {
    const state = children.get(step);
    const work = (job: () => void): void =>
      void jobs.push(() => {
        job();
        // A fault: its parent never hears of it.
        if (faults > 0 && choose(2) === 1) faults -= 1;
        else append({ kind: "due", step });
      });
    if (direction === "undo") {
      if (state === "undone") return { kind: "succeeded", output: null };
      if (state === "undoing") return "accepted";
      children.set(step, "undoing");
      work(() => {
        if (state === "done") effects.push(`${step} undo`);
        children.set(step, "undone");
      });
      return "accepted";
    }
    if (state === "undone") return { kind: "rejected", error: "undone" };
    if (state === "done") return { kind: "succeeded", output: null };
    if (state === undefined) {
      children.set(step, "running");
      work(() => {
        if (children.get(step) !== "running") return;
        const isRefused = act({ step, direction }).kind === "rejected";
        children.set(step, isRefused ? "undone" : "done");
      });
    }
    return "accepted";
  }

  function act({ step, direction }: Call): Outcome {
    const done: Outcome = { kind: "succeeded", output: null };
    if (direction === "undo") {
      const isThere = effects.includes(`${step} action`) || overridden.has(step);
      if (!isThere && refusesUndone) refused.add(step);
      else effects.push(`${step} undo`);
      return done;
    }
    if (refused.has(step)) return { kind: "rejected", error: "undone before" };
    if (rejections > 0 && choose(2) === 1) {
      rejections -= 1;
      return { kind: "rejected", error: "no" };
    }
    effects.push(`${step} action`);
    return done;
  }

  /** The request is lost, or late, or its answer is lost; each is one fault. */
  function exchange(call: Call, key: string, body: string, token: number): Outcome | "accepted" {
    const unknown: Outcome = { kind: "unknown", error: "no answer" };
    const act = actOf(call);
    const isAsync = act?.kind === "http" && act.callbackMs !== null;
    const isChild = act?.kind === "saga" || act?.kind === "undo-saga";
    const fault = faults === 0 ? 0 : choose(4);
    if (fault > 0) faults -= 1;
    if (fault === 1) return unknown;
    if (fault === 2) {
      late.push(() => {
        if (isChild) askChild(call);
        else if (isAsync) takeOn(call, key, body, token);
        else receive(call, key, body);
      });
      return unknown;
    }
    if (isAsync) takeOn(call, key, body, token);
    const outcome = isChild ? askChild(call) : isAsync ? "accepted" : receive(call, key, body);
    return fault === 3 ? unknown : outcome;
  }

  function drive(): void {
    arm(mutant === "an alarm is set to now" ? nowMs : nowMs + WATCHDOG_MS);
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      mayCrash();
      const next = plan(mutated(instance, mutant), nowMs, new Set());
      if (next.kind === "decide") append(...next.entries);
      else if (next.kind === "sleep" && jobs.length > 0) jobs.shift()?.();
      else if (next.kind === "sleep") {
        if (next.untilMs === null) alarmMs = null;
        else arm(next.untilMs);
        return;
      } else for (const call of next.calls) perform(call);
      // What is late arrives at any time after, or when all is over.
      if (late.length > 0 && choose(2) === 1) late.shift()?.();
    }
    throw new Error("it does not end");
  }

  function perform(call: Call): void {
    const { step, direction } = call;
    const dueAtMs = instance.steps[step]?.held === null ? null : instance.steps[step]?.dueAtMs;
    if (dueAtMs != null && dueAtMs > nowMs) throw new Error("a held step does not rest");
    if (holds > 0 && choose(2) === 1) {
      holds -= 1;
      append({ kind: "held", step, untilMs: nowMs + 3_000, reason: "its target is closed" });
      return;
    }
    append({ kind: "request", step, direction });
    mayCrash();
    const state = instance.steps[step];
    if (state === undefined) throw new Error("no such step");
    const attempt = direction === "action" ? state.attempts : state.undoAttempts;
    const base = keyOf("s", saga.steps[step]?.name ?? "", direction, state.epoch);
    const key = mutant === "the attempt's number is in the key" ? `${base}_${attempt}` : base;
    const body = mutant === "a request is rendered anew for each attempt" ? `${attempt}` : "";
    const { token } = state;
    const outcome = exchange(call, key, body, token);
    if (commands > 0 && direction === "action" && choose(2) === 1) override(step);
    mayCrash();
    const fence =
      mutant === "an answer needs no token" ? (instance.steps[step]?.token ?? 0) : token;
    if (outcome === "accepted") {
      const isHeard = children.has(step);
      append({ kind: "accepted", step, direction, token: fence, untilMs: nowMs + 5_000, isHeard });
      return;
    }
    append(answerEntry(instance, call, fence, outcome, { nowMs, random: 0, retryAfterMs: null }));
  }

  function actOf({ step, direction }: Call): Act | null {
    const definition = saga.steps[step];
    if (definition?.kind !== "action") return null;
    return direction === "action" ? definition.action : definition.compensate;
  }

  function override(step: number): void {
    commands -= 1;
    const name = saga.steps[step]?.name;
    const command = { kind: "override-step", step: name, output: null, reason: "checked" } as const;
    const result = commanded(instance, command, nowMs);
    if (!result.ok) return;
    append(...result.entries);
    overridden.add(step);
  }

  for (let wakes = 0; alarmMs !== null && wakes < TURNS_MAX; wakes += 1) {
    nowMs = alarmMs;
    alarmMs = null;
    try {
      drive();
    } catch (error) {
      if (!(error instanceof Crash)) return `${error}`;
    }
  }
  for (const arrive of late) arrive();
  for (const work of jobs) work();
  return violationOf(instance, effects, overridden);
}

/** The instance as a driver that is built wrong would see it. */
function mutated(instance: Instance, mutant: Mutant | null): Instance {
  if (mutant === "a held step ignores when it is due") {
    const stir = (step: StepState) => (step.held === null ? step : { ...step, dueAtMs: null });
    return { ...instance, steps: instance.steps.map(stir) };
  }
  if (instance.status !== "COMPENSATING") return instance;
  const change = (step: StepState): StepState => {
    if (
      step.forward === "waiting" &&
      mutant === "a step that waits for its callback is taken for one that has no effect"
    ) {
      return { ...step, forward: "rejected" };
    }
    const isInDoubt = step.forward === "started" || step.forward === "unknown";
    if (!isInDoubt) return step;
    if (mutant === "an undo is registered when its action has succeeded") {
      return { ...step, startOrder: null };
    }
    return mutant === "a step in doubt is undone without being settled"
      ? { ...step, forward: "succeeded" }
      : step;
  };
  return { ...instance, steps: instance.steps.map(change) };
}

/** Every effect once, and either all of them stand or all are undone, the last first. */
function violationOf(
  { status, saga, steps }: Instance,
  effects: readonly string[],
  overridden: ReadonlySet<number>,
): string | null {
  const seen = `${status}: ${effects.join(", ")}`;
  if (!isEnded(status)) return `it ends ${seen}`;
  if (new Set(effects).size < effects.length) return `an effect came twice; ${seen}`;
  for (const step of overridden) {
    if (steps[step]?.forward !== "succeeded")
      return `what a person decided does not stand; ${seen}`;
  }
  const of = (direction: string) =>
    effects.flatMap((each) => (each.endsWith(direction) ? [Number(each.split(" ")[0])] : []));
  const made = of("action").filter((step) => !overridden.has(step));
  const undone = of("undo").filter((step) => !overridden.has(step));
  if (status === "COMPLETED") {
    const isWhole = made.length + overridden.size === saga.steps.length;
    return isWhole && undone.length === 0 ? null : `out of balance; ${seen}`;
  }
  if (made.length !== undone.length || undone.some((step) => !made.includes(step))) {
    return `out of balance; ${seen}`;
  }
  const orders = undone.map((step) => steps[step]?.startOrder ?? 0);
  const isReversed = orders.every((order, at) => at === 0 || order < (orders[at - 1] ?? 0));
  return isReversed ? null : `undone in another order; ${seen}`;
}
