/** An event of the router's own on its way to the tenant's rules: matched and enqueued like one from outside. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { EventRecord } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { eventId, timeOrderedId } from "../core/ids.ts";
import { readArchived } from "../core/ingest/events.ts";
import { SAGA_HOPS_MAX } from "../core/saga/limits.ts";
import type { Tenant } from "../core/tenant.ts";
import { traceparentOf } from "../core/trace.ts";
import type { SagaEvent } from "../ports/publisher.ts";
import { type AcceptPorts, enqueue, matched } from "./accept-event.ts";
import type { Admitted } from "./admit.ts";
import { JUDGEMENTS_MAX } from "./judge-webhook.ts";

const JSON_TYPE = "application/json";

const LIMITED = "The tenant's limit is reached.";

/** In the place of a source's name in ids of what targets publish: no sender's key gives the same. */
const BY_TARGET = "target:";

interface Judged {
  readonly tenant: Tenant;
  /** Undefined for what spends no token. */
  readonly admitted: Admitted | undefined;
}

/** By the rules and the limit that hold now, like an event that came from outside. */
async function judge(
  { tenant: id, source, origin }: SagaEvent,
  { directory, admission }: AcceptPorts,
): Promise<Judged | null> {
  const known = await directory.get(id);
  if (known === null) return null;
  let revision = await admission.revisionOf(known);
  for (let judgements = 0; judgements < JUDGEMENTS_MAX; judgements += 1) {
    const tenant = await directory.at(id, revision);
    if (tenant === null) return null;
    const admitted = origin && (await admission.admit(tenant, { id: source, limit: null }, 1));
    if (admitted === undefined || admitted.revision <= tenant.revision) return { tenant, admitted };
    revision = admitted.revision;
  }
  throw new Retryable("the configuration keeps changing");
}

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
  const judged = await judge(event, ports);
  if (judged === null) return { kind: "refused", detail: "there is no such tenant" };
  const { tenant, admitted } = judged;
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
