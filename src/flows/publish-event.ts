/** An event of a saga's step on its way to the tenant's rules: matched and enqueued like one that came from outside. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { EventRecord } from "../core/enqueue/record.ts";
import { eventId, timeOrderedId } from "../core/ids.ts";
import { readArchived } from "../core/ingest/events.ts";
import { SAGA_HOPS_MAX } from "../core/limits.ts";
import { traceparentOf } from "../core/trace.ts";
import type { SagaEvent } from "../ports/saga.ts";
import { type AcceptPorts, enqueue, matched } from "./accept-event.ts";

const CONTENT_TYPE = "application/json";

/**
 * Answers once it is durable. The same key is the same event: published again, after a crash, it is a copy, and
 * counted as one. It spends no tokens of the tenant's limit. Rejects when a store does not take it now.
 */
export async function publishEvent(event: SagaEvent, ports: AcceptPorts): Promise<Answer> {
  const { tenant: id, source, type, subject, key, hops } = event;
  if (hops > SAGA_HOPS_MAX) {
    const detail = `${SAGA_HOPS_MAX} events of sagas have led to it, one after another, and no more may`;
    return { kind: "refused", detail };
  }
  const known = await ports.directory.get(id);
  // By the rules that hold now, like an event that came from outside.
  const tenant = known && (await ports.directory.at(id, await ports.admission.revisionOf(known)));
  if (tenant === null) return { kind: "refused", detail: "there is no such tenant" };
  const receivedAtMs = ports.clock.nowMs();
  const body = ports.text.encode(event.data);
  const record: EventRecord = {
    id: eventId({ tenant: id, source, key }, ports.crypto, ports.text),
    receipt: timeOrderedId("rcp_", receivedAtMs, ports.random.bytes(10)),
    ...{ tenant: id, source, type, subject, time: null, receivedAtMs },
    ...{ contentType: CONTENT_TYPE, headers: [], key, keyFrom: "saga" },
    verification: { scheme: "none", secretIndex: null },
    ...{ priority: "bulk", subscriptions: [], revision: tenant.revision, hops },
    traceparent: traceparentOf(null, ports.random.bytes(24)),
  };
  const read = readArchived(body, CONTENT_TYPE, ports.text);
  const routed = matched(record, read, tenant, false, ports);
  await enqueue(routed, body, ports);
  ports.meter.add("events_accepted");
  ports.meter.passed(`in_${routed.priority}`, 1, receivedAtMs);
  const answer = JSON.stringify({ id: record.id, deliveries: routed.subscriptions.length });
  return { kind: "response", status: 200, retryAfterMs: null, body: answer };
}
