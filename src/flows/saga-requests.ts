/** Requests of one instance's steps: their intents are written down, then they are sent, then their answers noted. */
import type { Answer } from "../core/deliver/outcome.ts";
import { parseJsonDocument } from "../core/json.ts";
import { SAGA_OUTPUT_BYTES_MAX } from "../core/limits.ts";
import { answerEntry, keyOf, outcomeOf } from "../core/saga/answer.ts";
import type { ActionStep } from "../core/saga/definition.ts";
import type { Outcome, RenderedRequest } from "../core/saga/instance.ts";
import type { Call } from "../core/saga/plan.ts";
import { intentOf } from "../core/saga/request.ts";
import { errorText } from "../ports/log.ts";
import type { SagaPorts } from "./advance-saga.ts";
import type { Known, SagaRecord } from "./saga-record.ts";

export interface SagaRequests {
  /** Steps whose requests are under way in this process, with what ends when their answers are noted. */
  readonly live: ReadonlyMap<number, Promise<void>>;
  make(calls: readonly Call[]): void;
}

export function createSagaRequests(record: SagaRecord, ports: SagaPorts): SagaRequests {
  const live = new Map<number, Promise<void>>();

  async function perform(call: Call): Promise<void> {
    const { step, direction } = call;
    const { known } = record;
    const state = known?.instance.steps[step];
    const rendered = state?.requests[direction];
    const definition = known?.instance.saga.steps[step];
    if (known === null || state === undefined || !rendered || definition?.kind !== "action") return;
    const answer = await send(known, call, definition, state.epoch, rendered).catch(
      (error: unknown): Answer => ({ kind: "network", detail: errorText(error) }),
    );
    const at = {
      nowMs: ports.clock.nowMs(),
      random: ports.random.unit(),
      retryAfterMs: answer.kind === "response" ? answer.retryAfterMs : null,
    };
    const outcome = heard(answer);
    const { id, tenant, saga } = known.start;
    if (outcome.kind !== "succeeded") {
      const { error } = outcome;
      ports.log.warn("saga-step-failed", {
        ...{ tenant, saga, id, step: definition.name, direction, error },
      });
    }
    const now = record.known?.instance;
    if (now !== undefined) record.note([answerEntry(now, call, state.token, outcome, at)]);
  }

  async function send(
    { start }: Known,
    call: Call,
    { name, timeoutMs }: ActionStep,
    epoch: number,
    { method, url, headers: own, body }: RenderedRequest,
  ): Promise<Answer> {
    const headers = new Map([
      ...Object.entries(own).map(([header, value]) => [header.toLowerCase(), value] as const),
      ["idempotency-key", keyOf(start.id, name, call.direction, epoch)],
      ["signalbox-saga", start.id],
      ["signalbox-step", name],
    ]);
    if (body !== null) headers.set("content-type", "application/json");
    // What is undone can be looked up by the key that it was done with.
    if (call.direction === "undo") {
      headers.set("signalbox-action-key", keyOf(start.id, name, "action", epoch));
    }
    return ports.transport.send({
      ...{ method, url, headers, timeoutMs, body: ports.text.encode(body ?? "") },
      answerBytesMax: SAGA_OUTPUT_BYTES_MAX + 1,
    });
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
    make(calls) {
      const { known } = record;
      if (known === null) return;
      const intents = calls.map((call) => intentOf(known.instance, call));
      record.note(intents);
      record.commit();
      for (const [at, call] of calls.entries()) {
        if (intents[at]?.kind !== "request") continue;
        const made = perform(call).finally(() => live.delete(call.step));
        live.set(call.step, made);
      }
    },
  };
}
