/** An event for a saga: it ends the waits of the instances that it belongs to, or starts one. */
import type { Answer } from "../core/deliver/outcome.ts";
import { stringifyJson } from "../core/json.ts";
import { correlationsOf, startOf } from "../core/saga/arrival.ts";
import { SAGA_CORRELATED_MAX, SAGA_INPUT_BYTES_MAX } from "../core/saga/limits.ts";
import type { SagaTarget } from "../core/tenant.ts";
import { eventIn } from "./event-view.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";
import { startSaga } from "./start-saga.ts";

const done = (body: string): Answer => ({
  kind: "response",
  status: 200,
  retryAfterMs: null,
  body,
});

/**
 * The same event again changes nothing: an instance is known by its key, what it has received by the event's id.
 * An event that comes before its instance is held like a delivery that failed, and tried again. Rejects when a
 * store does not answer, which is no attempt.
 */
export async function deliverToSaga(
  held: HeldEvent,
  { name, definition }: SagaTarget,
  ports: DeliverPorts,
): Promise<Answer> {
  if (definition === null) return { kind: "refused", detail: `there is no saga "${name}"` };
  const event = eventIn(held, ports);
  const bytes = ports.text.encode(stringifyJson(event)).length;
  if (bytes > SAGA_INPUT_BYTES_MAX) {
    const detail = `an event of ${bytes} bytes is none for a saga: ${SAGA_INPUT_BYTES_MAX} at most`;
    return { kind: "refused", detail };
  }
  const { tenant, id, hops } = held.record;
  const correlations = correlationsOf(definition.doc, event);
  if (correlations === null) {
    const { key = id, correlationId } = startOf(definition.doc, event);
    const from = hops === undefined ? {} : { hops };
    const request = { tenant, saga: name, definition, key, correlationId, input: event, ...from };
    return done((await startSaga(request, ports)).view.id);
  }
  if (correlations.length === 0) {
    const detail = `a step of "${name}" waits for such an event, and this one has no correlation id`;
    return { kind: "refused", detail };
  }
  const found = await Promise.all(
    correlations.map((correlationId) =>
      ports.sagaIndex.list(tenant, { saga: name, correlationId }, null, SAGA_CORRELATED_MAX),
    ),
  );
  const instances = found.flatMap(({ items }) => items.map((each) => each.id));
  const heard = await Promise.all(instances.map((each) => ports.sagas.receive(each, id, event)));
  // One that is about to begin must hear of it as well: the others know the event by its id.
  if (instances.length > 0 && heard.every((isThere) => isThere)) return done(instances.join(" "));
  const detail = `no instance of "${name}" has the correlation id ${correlations.join(" or ")} yet`;
  return { kind: "network", detail };
}
