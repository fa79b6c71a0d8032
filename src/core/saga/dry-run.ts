/**
 * A saga run through at once: the plan, the fold and the requests of real instances, over a clock that jumps to
 * whatever is due next, and answers that were written down beforehand. Pauses have no jitter.
 */
import type { Answer } from "../deliver/outcome.ts";
import type { Json } from "../json.ts";
import { answerEntry, outcomeOf } from "./answer.ts";
import { correlationsOf, startOf } from "./arrival.ts";
import { type Command, commanded } from "./commands.ts";
import { compileSaga, type SagaDoc } from "./definition.ts";
import { fold } from "./fold.ts";
import {
  type Direction,
  type Entry,
  type Instance,
  isEnded,
  type Outcome,
  type RenderedRequest,
  startInstance,
} from "./instance.ts";
import {
  SAGA_TEST_CHARACTERS_MAX,
  SAGA_TEST_TURNS_MAX,
  SAGA_TIMEOUT_MS_DEFAULT,
} from "./limits.ts";
import { plan } from "./plan.ts";
import { intentOf } from "./request.ts";
import type { Call } from "./step-plan.ts";
import { pack } from "./text.ts";

/** What a participant answers to one attempt. */
export interface Mock {
  readonly answer: Answer;
  readonly output: Json;
}

/** By step; one for each attempt, of which the last is that of all later ones. Without any a step succeeds. */
export type Mocks = ReadonlyMap<string, readonly Mock[]>;

export interface Script {
  readonly doc: SagaDoc;
  readonly input: Json;
  readonly startAtMs: number;
  readonly mocks: Readonly<Record<Direction, Mocks>>;
  readonly events: readonly { readonly atMs: number; readonly id: string; readonly event: Json }[];
  readonly commands: readonly { readonly atMs: number; readonly command: Command }[];
}

export type DryRequest = RenderedRequest & {
  readonly atMs: number;
  readonly step: string;
  readonly direction: Direction;
  /** Of this step and direction, from 1. */
  readonly attempt: number;
};

export interface DryRun {
  readonly instance: Instance;
  readonly rows: readonly DryRow[];
  readonly requests: readonly DryRequest[];
  /** Events and commands without an effect, by their place in the script, and why. */
  readonly ignored: readonly { readonly pointer: string; readonly detail: string }[];
  readonly endedAtMs: number;
  /** The bound that ended it before its own end. */
  readonly stoppedBy: "turns" | "characters" | null;
}

export interface DryRow {
  readonly atMs: number;
  readonly actor: {
    readonly by: string;
    readonly command?: Command["kind"];
    readonly reason?: string;
  };
  readonly entries: readonly Entry[];
}

interface UnderWay {
  readonly atMs: number;
  readonly call: Call;
  readonly token: number;
  readonly outcome: Outcome;
  readonly retryAfterMs: number | null;
}

const OK: Mock = {
  answer: { kind: "response", status: 200, retryAfterMs: null, body: "" },
  output: null,
};
const SYSTEM = { by: "system" };

export function dryRun(script: Script): DryRun {
  const { doc, input, startAtMs } = script;
  const { correlationId } = startOf(doc, input);
  const rows: DryRow[] = [];
  const requests: DryRequest[] = [];
  const ignored: { pointer: string; detail: string }[] = [];
  const underWay: UnderWay[] = [];
  const attempts = new Map<string, number>();
  let instance = startInstance(compileSaga(doc), input, startAtMs);
  let nowMs = startAtMs;
  let characters = 0;

  function note(entries: readonly Entry[], actor: DryRow["actor"] = SYSTEM): void {
    rows.push({ atMs: nowMs, actor, entries });
    characters += pack(entries).length;
    instance = fold(instance, entries, nowMs);
  }

  function make(call: Call): void {
    const intent = intentOf(instance, call);
    note([intent]);
    const { step, direction } = call;
    const definition = instance.saga.steps[step];
    const state = instance.steps[step];
    const rendered = state?.requests[direction];
    if (intent.kind !== "request" || definition?.kind !== "action" || !state || !rendered) return;
    const { name } = definition;
    const attempt = (attempts.get(`${direction} ${name}`) ?? 0) + 1;
    attempts.set(`${direction} ${name}`, attempt);
    requests.push({ ...rendered, atMs: nowMs, step: name, direction, attempt });
    characters += pack(rendered).length;
    const mocks = script.mocks[direction].get(name) ?? [];
    const { answer, output } = mocks[attempt - 1] ?? mocks.at(-1) ?? OK;
    underWay.push({
      ...{ call, token: state.token, outcome: outcomeOf(answer, output) },
      atMs:
        nowMs + (answer.kind === "timeout" ? (definition.timeoutMs ?? SAGA_TIMEOUT_MS_DEFAULT) : 0),
      retryAfterMs: answer.kind === "response" ? answer.retryAfterMs : null,
    });
  }

  const arrivals = [
    ...script.events.map(({ atMs, id, event }, at) => ({
      atMs,
      pointer: `/events/${at}`,
      arrive(): string | null {
        if (isEnded(instance.status)) return `The saga is ${instance.status} by then.`;
        const why = notFor(doc, event, correlationId);
        if (why === null) note([{ kind: "event", id, event }], { by: "event" });
        return why;
      },
    })),
    ...script.commands.map(({ atMs, command }, at) => ({
      atMs,
      pointer: `/signals/${at}`,
      arrive(): string | null {
        const { kind, reason } = command;
        const result = commanded(instance, command, nowMs);
        if (!result.ok) return result.detail;
        note(result.entries, { by: "operator", command: kind, reason });
        return null;
      },
    })),
  ].sort((a, b) => a.atMs - b.atMs);

  function hear(): void {
    for (const each of underWay.filter(({ atMs }) => atMs <= nowMs)) {
      const { call, token, outcome, retryAfterMs } = each;
      underWay.splice(underWay.indexOf(each), 1);
      note([answerEntry(instance, call, token, outcome, { nowMs, random: 0, retryAfterMs })]);
    }
    while (arrivals[0] !== undefined && arrivals[0].atMs <= nowMs) arrive();
  }

  function arrive(): void {
    const next = arrivals.shift();
    const detail = next?.arrive() ?? null;
    if (next !== undefined && detail !== null) ignored.push({ pointer: next.pointer, detail });
  }

  const ended = (stoppedBy: DryRun["stoppedBy"]): DryRun => ({
    ...{ instance, rows, requests, ignored, endedAtMs: nowMs, stoppedBy },
  });
  for (let turns = 0; turns < SAGA_TEST_TURNS_MAX; turns += 1) {
    if (characters > SAGA_TEST_CHARACTERS_MAX) return ended("characters");
    const live = new Set(underWay.map(({ call }) => call.step));
    const next = plan(instance, nowMs, live);
    if (next.kind === "decide") note(next.entries);
    else if (next.kind === "call") next.calls.forEach(make);
    else {
      if (isEnded(instance.status) && underWay.length === 0) {
        while (arrivals.length > 0) arrive(); // none of them has an effect any more
        return ended(null);
      }
      const due = [next.untilMs, arrivals[0]?.atMs, ...underWay.map(({ atMs }) => atMs)];
      const dueMs = due.filter((atMs) => atMs !== null && atMs !== undefined);
      if (dueMs.length === 0) return ended(null);
      nowMs = Math.max(nowMs, Math.min(...dueMs));
      hear();
    }
  }
  return ended("turns");
}

/** Why an event would not come to the instance; null when it would. */
function notFor(doc: SagaDoc, event: Json, own: string | null): string | null {
  const ids = correlationsOf(doc, event);
  if (ids === null) return "No step waits for such an event.";
  if (own !== null && ids.includes(own)) return null;
  const named = ids.length === 0 ? "has no correlation id" : `belongs to ${ids.join(" and ")}`;
  return `It ${named}; the instance ${own === null ? "has none" : `belongs to ${own}`}.`;
}
