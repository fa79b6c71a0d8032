/** An event for a saga: it ends the waits of the instances that it belongs to, or starts one. */
import type { Answer } from "../core/deliver/outcome.ts";
import { isJsonObject, stringifyJson } from "../core/json.ts";
import { ARCHIVED_VIEW_BYTES_MAX } from "../core/limits.ts";
import { correlationsOf, startOf } from "../core/saga/arrival.ts";
import {
  SAGA_CORRELATED_MAX,
  SAGA_CORRELATED_PAGE,
  SAGA_INPUT_BYTES_MAX,
} from "../core/saga/limits.ts";
import type { SagaTarget } from "../core/tenant.ts";
import type { SagaDirectory, SagaPosition, SagaQuery, SagaSummary } from "../ports/saga-index.ts";
import { eventRead } from "./event-view.ts";
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
  const event = await eventRead(held, ARCHIVED_VIEW_BYTES_MAX, ports);
  const isUnread = isJsonObject(event) && event.dataOmitted !== undefined;
  const bytes = isUnread ? held.bodyBytes : ports.text.encode(stringifyJson(event)).length;
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
  const ids = correlations.join(" or ");
  const queries = correlations.map((correlationId) => ({ saga: name, correlationId }));
  const open = await Promise.all(queries.map((query) => openOnes(tenant, query, ports)));
  const instances = open.flatMap(({ items }) => items);
  if (instances.length === 0) {
    // Whoever has ended waits for nothing more: that there is one says that none is to come.
    const ended = await Promise.all(
      queries.map((query) => ports.sagaIndex.list(tenant, query, null, 1)),
    );
    instances.push(...ended.flatMap(({ items }) => items));
  }
  const heard = await Promise.all(instances.map((each) => ports.sagas.receive(each.id, id, event)));
  if (open.some(({ next }) => next !== null)) {
    const detail = `more than ${SAGA_CORRELATED_MAX} open instances have the correlation id ${ids}`;
    return { kind: "network", detail };
  }
  // It is kept with the attempt, and no longer than a page names them.
  const named = instances.slice(0, SAGA_CORRELATED_PAGE).map((each) => each.id);
  // One that is about to begin must hear of it as well: the others know the event by its id.
  if (instances.length > 0 && heard.every((isThere) => isThere)) return done(named.join(" "));
  const detail = `no instance of "${name}" has the correlation id ${ids} yet`;
  return { kind: "network", detail };
}

/** Page by page, however many have ended since; `next` is set where there are more than an event is given to. */
async function openOnes(
  tenant: string,
  query: SagaQuery,
  { sagaIndex }: DeliverPorts,
): ReturnType<SagaDirectory["list"]> {
  const items: SagaSummary[] = [];
  let next: SagaPosition | null = null;
  do {
    const page: Awaited<ReturnType<SagaDirectory["list"]>> = await sagaIndex.list(
      tenant,
      { ...query, isOpen: true },
      next,
      SAGA_CORRELATED_PAGE,
    );
    items.push(...page.items);
    next = page.next;
  } while (next !== null && items.length < SAGA_CORRELATED_MAX);
  return { items, next };
}
