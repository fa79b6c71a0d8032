/** An event of the router's own on its way to the tenant's rules: matched and enqueued like one from outside. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { EventRecord } from "../core/enqueue/record.ts";
import { eventId, timeOrderedId } from "../core/ids.ts";
import { readArchived } from "../core/ingest/events.ts";
import { SAGA_HOPS_MAX } from "../core/saga/limits.ts";
import { traceparentOf } from "../core/trace.ts";
import type { SagaEvent } from "../ports/publisher.ts";
import { type AcceptPorts, enqueue, matched } from "./accept-event.ts";

const JSON_TYPE = "application/json";

const LIMITED = "The tenant's limit is reached.";

/** In the place of a source's name in ids of what targets publish: no sender's key gives the same. */
const BY_TARGET = "target:";

/**
 * Answers once it is durable. The same key is the same event: published again, after a crash, it is a copy, and
 * counted as one. What a target publishes spends tokens of the tenant's limit, so that a rule whose events meet it
 * again floods nobody; a step's event spends none. Rejects when a store does not take it now.
 */
export async function publishEvent(event: SagaEvent, ports: AcceptPorts): Promise<Answer> {
  const { tenant: id, source, type, subject, key, hops, origin, contentType = JSON_TYPE } = event;
  if (hops > SAGA_HOPS_MAX) {
    const detail = `${SAGA_HOPS_MAX} published events have led to it, one after another, and no more may`;
    return { kind: "refused", detail };
  }
  const known = await ports.directory.get(id);
  // By the rules that hold now, like an event that came from outside.
  const tenant = known && (await ports.directory.at(id, await ports.admission.revisionOf(known)));
  if (tenant === null) return { kind: "refused", detail: "there is no such tenant" };
  const admitted = origin && (await ports.admission.admit(tenant, { id: source, limit: null }, 1));
  if (admitted?.kind === "refused") {
    return { kind: "response", status: 429, retryAfterMs: admitted.retryAfterMs, body: LIMITED };
  }
  const isDemoted = admitted?.kind === "demoted" || origin?.isDemoted === true;
  const receivedAtMs = ports.clock.nowMs();
  const body = ports.text.encode(event.data);
  const record: EventRecord = {
    id: eventId(
      { tenant: id, source: origin === undefined ? source : BY_TARGET, key },
      ports.crypto,
      ports.text,
    ),
    receipt: timeOrderedId("rcp_", receivedAtMs, ports.random.bytes(10)),
    ...{ tenant: id, source, type, subject, time: null, receivedAtMs },
    ...{ contentType, headers: [], key, keyFrom: origin === undefined ? "saga" : "delivery" },
    verification: { scheme: "none", secretIndex: null },
    ...{ priority: "bulk", subscriptions: [], revision: tenant.revision, hops },
    traceparent: traceparentOf(origin?.traceparent ?? null, ports.random.bytes(24)),
    ...(origin === undefined ? {} : { parent: origin.delivery }),
  };
  const read = readArchived(body, contentType, ports.text);
  const routed = matched(record, read, tenant, isDemoted, ports);
  await enqueue(routed, body, ports);
  ports.meter.add("events_accepted");
  ports.meter.passed(`in_${routed.priority}`, 1, receivedAtMs);
  const answer = JSON.stringify({ id: record.id, deliveries: routed.subscriptions.length });
  return { kind: "response", status: 200, retryAfterMs: null, body: answer };
}
