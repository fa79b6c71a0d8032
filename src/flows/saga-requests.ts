/** Requests of one instance's steps: their intents are written down, then they are sent, then their answers noted. */
import { type Answer, describe } from "../core/deliver/outcome.ts";
import { parseJsonDocument } from "../core/json.ts";
import { answerEntry, callbackMsOf, keyOf, outcomeOf } from "../core/saga/answer.ts";
import type {
  Entry,
  Instance,
  Outcome,
  RenderedChild,
  RenderedRequest,
} from "../core/saga/instance.ts";
import {
  SAGA_CHILD_POLL_MS,
  SAGA_GATED_MS_MIN,
  SAGA_OUTPUT_BYTES_MAX,
  SAGA_TIMEOUT_MS_DEFAULT,
} from "../core/saga/limits.ts";
import { intentOf } from "../core/saga/request.ts";
import type { Call } from "../core/saga/step-plan.ts";
import { within } from "../ports/clock.ts";
import { errorText } from "../ports/log.ts";
import { askChild, childId } from "./ask-child.ts";
import { type Passage, type Permit, permitOf } from "./saga-gate.ts";
import type { SagaPorts } from "./saga-ports.ts";
import type { SagaRecord } from "./saga-record.ts";
import { type SagaRequest, sendRequest } from "./saga-send.ts";

export interface SagaRequests {
  /** Steps whose requests are under way in this process, with what ends when their answers are noted. */
  readonly live: ReadonlyMap<number, Promise<void>>;
  /** Asks the targets of these calls whether they may be called. */
  ask(calls: readonly Call[]): Promise<AskedCalls>;
  /** If a request of the step is under way, its child is asked once more after it. */
  lookAgain(step: number): void;
}

interface Going {
  readonly call: Call;
  readonly passage: Passage | null;
  /** Nothing was sent under its key before. Attempts do not tell: they are counted anew. */
  readonly isFirst: boolean;
}

function isFirstOf({ steps }: Instance, { step, direction }: Call): boolean {
  const state = steps[step];
  return direction === "action" ? state?.forward === "pending" : state?.undo === "none";
}

const PAST = { reason: "its turn at the gate has passed", inMs: SAGA_GATED_MS_MIN };

export interface AskedCalls {
  /** Writes down the intents of what may go, and sends it. */
  make(): void;
  /** Nothing of it is made. */
  giveBack(): void;
}

export function createSagaRequests(record: SagaRecord, ports: SagaPorts): SagaRequests {
  const live = new Map<number, Promise<void>>();
  /** Steps whose child has had news since it was asked. */
  const news = new Set<number>();

  async function perform({ call, passage, isFirst }: Going): Promise<void> {
    const { step, direction } = call;
    const { known } = record;
    const state = known?.instance.steps[step];
    const rendered = state?.requests[direction];
    const definition = known?.instance.saga.steps[step];
    if (known === null || state === undefined || !rendered || definition?.kind !== "action") return;
    const { start } = known;
    const { epoch, token } = state;
    const request = { start, call, step: definition, epoch, token };
    if ("child" in rendered) {
      await performChild(request, rendered);
      return;
    }
    const sent = await send(request, rendered, passage).catch(
      (error: unknown): Answer => ({ kind: "network", detail: errorText(error) }),
    );
    // An earlier attempt may have gone to another address of the same target, and have had its effect.
    const answer: Answer =
      sent.kind === "refused" && !isFirst ? { kind: "network", detail: describe(sent) } : sent;
    const at = {
      nowMs: ports.clock.nowMs(),
      random: ports.random.unit(),
      retryAfterMs: answer.kind === "response" ? answer.retryAfterMs : null,
    };
    const act = direction === "action" ? definition.action : definition.compensate;
    const callbackMs = callbackMsOf(answer, act);
    if (callbackMs !== null) {
      const untilMs = ports.clock.nowMs() + callbackMs;
      record.note([{ kind: "accepted", step, direction, token, untilMs }]);
      return;
    }
    const outcome = heard(answer);
    const { id, tenant, saga } = known.start;
    if (outcome.kind !== "succeeded") {
      const { error } = outcome;
      ports.log.warn("saga-step-failed", {
        ...{ tenant, saga, id, step: definition.name, direction, error },
      });
    }
    const now = record.known?.instance;
    if (now !== undefined) record.note([answerEntry(now, call, token, outcome, at)]);
  }

  async function performChild(
    request: Omit<SagaRequest, "rendered">,
    rendered: RenderedChild,
  ): Promise<void> {
    const { call, token, step } = request;
    const late = () => new Error("the child did not answer in time");
    const asking = askChild(request, rendered, ports);
    const outcome = await within(
      asking,
      step.timeoutMs ?? SAGA_TIMEOUT_MS_DEFAULT,
      ports.clock,
      late,
    ).catch((error: unknown): Outcome => ({ kind: "unknown", error: errorText(error) }));
    const now = record.known?.instance;
    const isDue = news.delete(call.step);
    if (now === undefined) return;
    const nowMs = ports.clock.nowMs();
    if (outcome === "running") {
      const child = childId(
        request,
        rendered,
        rendered.child === "undo" ? "action" : call.direction,
        ports,
      );
      const untilMs = isDue ? nowMs : nowMs + SAGA_CHILD_POLL_MS;
      record.note([{ kind: "accepted", ...call, token, untilMs, isHeard: true, child }]);
      return;
    }
    // What can never be undone is a person's matter at once.
    if (outcome.kind === "rejected" && rendered.child === "undo") {
      if (now.steps[call.step]?.token !== token) return;
      record.note([{ kind: "give-up", ...call, error: outcome.error }]);
      return;
    }
    const at = { nowMs, random: ports.random.unit(), retryAfterMs: null };
    record.note([answerEntry(now, call, token, outcome, at)]);
  }

  /** What it asks for, of whomever it asks. */
  function send(
    request: Omit<SagaRequest, "rendered">,
    rendered: Exclude<RenderedRequest, RenderedChild>,
    passage: Passage | null,
  ): Promise<Answer> {
    if (!("publish" in rendered)) return sendRequest({ ...request, rendered }, passage, ports);
    const { start, step, call, epoch } = request;
    const event = {
      ...{ tenant: start.tenant, type: rendered.publish.type, data: rendered.body },
      ...{ source: rendered.publish.source ?? start.saga, subject: rendered.publish.subject },
      key: keyOf(start.id, step.name, call.direction, epoch),
      hops: (start.hops ?? 0) + 1,
    };
    const timeoutMs = step.timeoutMs ?? SAGA_TIMEOUT_MS_DEFAULT;
    const late = () => new Error("the event was not durable in time");
    return within(ports.publisher.publish(event), timeoutMs, ports.clock, late);
  }

  /** What an answer means; a body that is no JSON is text, and one that is too long is not kept. */
  function heard(answer: Answer): Outcome {
    if (answer.kind !== "response" || answer.body === "") return outcomeOf(answer, null);
    if (ports.text.encode(answer.body).length > SAGA_OUTPUT_BYTES_MAX)
      return outcomeOf(answer, null);
    const read = parseJsonDocument(answer.body);
    return outcomeOf(answer, read.ok ? read.value : answer.body);
  }

  return {
    live,
    lookAgain(step) {
      if (live.has(step)) news.add(step);
    },
    async ask(calls) {
      const asked = await Promise.all(
        calls.map(async (call) => ({ call, permit: await permit(call) })),
      );
      return {
        make: () => make(asked),
        giveBack() {
          for (const { permit } of asked) if (permit?.kind === "open") permit.passage.ended(null);
        },
      };
    },
  };

  /** Null for what goes to no target. */
  async function permit({ step, direction }: Call): Promise<Permit | null> {
    const { known } = record;
    const definition = known?.instance.saga.steps[step];
    const state = known?.instance.steps[step];
    if (known === null || definition?.kind !== "action" || state === undefined) return null;
    const act = direction === "action" ? definition.action : definition.compensate;
    if (act?.kind !== "http" || act.http.target === undefined) return null;
    const { attempts, undoAttempts, held } = state;
    const wish = {
      ...{ tenant: known.start.tenant, target: act.http.target, timeoutMs: definition.timeoutMs },
      isRetry: (direction === "action" ? attempts : undoAttempts) > 0,
      heldMs: held === null ? 0 : ports.clock.nowMs() - held.sinceMs,
    };
    // Who starts the saga waits for its first row, and not for a target.
    if (!record.isKept) record.commit();
    return permitOf(wish, ports);
  }

  function make(asked: readonly { readonly call: Call; readonly permit: Permit | null }[]): void {
    const { known } = record;
    if (known === null) return;
    const nowMs = ports.clock.nowMs();
    const held: Entry[] = [];
    const going: Going[] = [];
    for (const { call, permit } of asked) {
      // Its turn may have passed while the targets of others were asked.
      const isPast = permit?.kind === "open" && permit.passage.isPast();
      if (isPast) permit.passage.ended(null);
      const wait = isPast ? PAST : permit?.kind === "held" ? permit : null;
      if (wait === null) {
        const passage = permit?.kind === "open" ? permit.passage : null;
        going.push({ call, passage, isFirst: isFirstOf(known.instance, call) });
      } else {
        const untilMs = nowMs + wait.inMs;
        held.push({ kind: "held", step: call.step, untilMs, reason: wait.reason });
      }
    }
    const intents = going.map(({ call }) => intentOf(known.instance, call));
    record.note([...held, ...intents]);
    if (going.length > 0) record.commit();
    for (const [at, each] of going.entries()) {
      const { call, passage } = each;
      const isMade = intents[at]?.kind === "request";
      if (!isMade) passage?.ended(null);
      else {
        const made = perform(each).finally(() => {
          passage?.ended(null);
          live.delete(call.step);
        });
        live.set(call.step, made);
      }
    }
  }
}
