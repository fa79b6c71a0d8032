/** The participants of a simulated saga: they honour keys, and remember what had an effect, in its order. */
import { platformText } from "../../src/adapters/crypto.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { OutgoingRequest } from "../../src/ports/transport.ts";

export interface SagaParticipant {
  /** Keys, those of undos only where there was something to undo. */
  readonly effects: string[];
  readonly faults: readonly string[];
  receive(request: OutgoingRequest): Answer;
  /** An event, durable once for its key. */
  take(key: string, data: string): Answer;
}

/** `rejecting`: steps that are refused. `tombstones`: steps that are refused once their undo has been seen. */
export function createSagaParticipant(
  rejecting: ReadonlySet<string>,
  tombstones: ReadonlySet<string>,
): SagaParticipant {
  const effects: string[] = [];
  const faults: string[] = [];
  const answers = new Map<string, { readonly answer: Answer; readonly body: string }>();
  const undone = new Set<string>();
  return {
    ...{ effects, faults },
    take(key, data) {
      const answer = {
        kind: "response",
        status: 200,
        retryAfterMs: null,
        body: '{"id":1}',
      } as const;
      const before = answers.get(key);
      if (before === undefined) effects.push(key);
      else if (before.body !== data) faults.push(`${key} has other data than before`);
      answers.set(key, { answer, body: before?.body ?? data });
      return answer;
    },
    receive(request) {
      const step = request.headers.get("signalbox-step") ?? "";
      const key = request.headers.get("idempotency-key") ?? "";
      const body = request.body instanceof Uint8Array ? `${platformText.decode(request.body)}` : "";
      const before = answers.get(key);
      if (before !== undefined) {
        if (before.body !== body) faults.push(`${key} has other bytes than before`);
        return before.answer;
      }
      const say = (status: number): Answer => {
        const answer = { kind: "response", status, retryAfterMs: null, body: '{"id":1}' } as const;
        answers.set(key, { answer, body });
        return answer;
      };
      const undoes = request.headers.get("signalbox-action-key");
      if (undoes !== undefined) {
        undone.add(undoes);
        if (effects.includes(undoes)) effects.push(key);
        return say(200);
      }
      // Any other takes an action that comes after its undo: a late request.
      if (rejecting.has(step) || (tombstones.has(step) && undone.has(key))) return say(422);
      effects.push(key);
      return say(200);
    },
  };
}
