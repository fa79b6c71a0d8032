/**
 * A delivery's event once more, as a new event of its own: as it came, or with a body that a person has
 * mended. It goes the way of an accepted webhook, to this delivery's target only, as the rule makes it for that one;
 * then the old delivery ends.
 */
import { bodyOf, type EventRecord } from "../core/enqueue/record.ts";
import { base32, eventId, timeOrderedId } from "../core/ids.ts";
import { withoutProof } from "../core/ingest/headers.ts";
import type { Subscription } from "../core/priority.ts";
import type { Problem } from "../core/problem.ts";
import type { DeliveryState } from "../core/settle.ts";
import { traceparentOf } from "../core/trace.ts";
import type { History, StoredDelivery } from "../ports/history.ts";
import { errorText } from "../ports/log.ts";
import { type Accepted, type AcceptPorts, enqueue, notKept, toAccepted } from "./accept-event.ts";

/** What a person changed; null where it stays as it came. */
export interface Edit {
  readonly body: Uint8Array | null;
  readonly contentType: string | null;
  readonly reason: string;
}

export type Resent =
  | { readonly kind: "accepted"; readonly event: Accepted }
  | { readonly kind: "refused"; readonly problem: Problem };

export interface ResendPorts
  extends Pick<
    AcceptPorts,
    "archive" | "clock" | "commits" | "crypto" | "directory" | "log" | "random" | "text"
  > {
  readonly history: Pick<History, "event" | "cancel">;
}

/** States in which a new event takes the old delivery's place; what is delivered stays so. */
const REPLACED: readonly DeliveryState[] = ["dead", "parked", "retrying", "cancelled"];

/**
 * Enqueues first and ends the old delivery after: what crashes in between is a dead letter that can be
 * resent again, which makes the same event.
 */
export async function resend(
  tenant: string,
  delivery: StoredDelivery,
  edit: Edit,
  ports: ResendPorts,
): Promise<Resent> {
  if (delivery.state === "pending" || delivery.state === "delivering") {
    return refused(`It is ${delivery.state}: on its way already.`);
  }
  const stored = await ports.history.event(tenant, delivery.event);
  const original = stored === null ? null : await ports.archive.frame(stored.pointer);
  if (original === null) return refused("The event's bytes are no longer in the archive.");
  const body = edit.body ?? bodyOf(original);
  const subscription = await subscriptionOf(original.record, delivery, ports);
  const record = editedRecord(original.record, delivery, subscription, body, edit, ports);
  try {
    await enqueue(record, body, ports);
  } catch (error) {
    ports.log.error("enqueue-failed", {
      tenant,
      source: record.source,
      events: 1,
      error: errorText(error),
    });
    return { kind: "refused", problem: notKept(error, 1) };
  }
  await ports.history.cancel(
    tenant,
    delivery.id,
    REPLACED,
    `resent as ${record.id}: ${edit.reason}`,
  );
  return { kind: "accepted", event: toAccepted(record) };
}

const refused = (detail: string): Resent => ({
  kind: "refused",
  problem: { slug: "conflict", detail },
});

/** What a rule leaves out for a target stays left out: of a replay by the rule of now, as it was sent before. */
async function subscriptionOf(
  { tenant, subscriptions }: EventRecord,
  { rule, target, replay, ...delivery }: StoredDelivery,
  { directory }: ResendPorts,
): Promise<Subscription> {
  const priority = delivery.priority === "replay" ? "bulk" : delivery.priority;
  const made = subscriptions.find((each) => each.rule === rule && each.target === target);
  const known = replay === null ? null : await directory.refresh(tenant);
  const isTransformed =
    made?.transformed === true || known?.rules.get(rule)?.transformers.has(target) === true;
  return { rule, target, priority, ...(isTransformed ? { transformed: true } : {}) };
}

/** The same delivery, body and type give the same event: asked twice, one of the two is a duplicate. */
function editedRecord(
  original: EventRecord,
  delivery: StoredDelivery,
  subscription: Subscription,
  body: Uint8Array,
  edit: Edit,
  ports: ResendPorts,
): EventRecord {
  const { demoted, cloudevent, elementOf, verification, ...kept } = original;
  const contentType = edit.contentType ?? original.contentType;
  const hash = ports.crypto.sha256(ports.text.encode(`${contentType ?? ""}\n`), body);
  const key = `resend:${delivery.id}:${base32(hash)}`;
  const { tenant, source } = original;
  const id = eventId({ tenant, source, key }, ports.crypto, ports.text);
  const receivedAtMs = ports.clock.nowMs();
  const signedIn = edit.body === null ? verification.header : undefined;
  return {
    ...kept,
    id,
    receipt: timeOrderedId("rcp_", receivedAtMs, ports.random.bytes(10)),
    receivedAtMs,
    contentType,
    headers: fittingHeaders(original, edit),
    key,
    keyFrom: "operator",
    verification: {
      scheme: "operator",
      secretIndex: null,
      ...(signedIn === undefined ? {} : { header: signedIn }),
    },
    priority: subscription.priority,
    subscriptions: [subscription],
    traceparent: traceparentOf(original.traceparent, ports.random.bytes(24)),
    // Source and id are a CloudEvent's identity (CloudEvents 1.0 §3.1.1), and this is another event.
    ...(cloudevent === undefined ? {} : { cloudevent: { ...cloudevent, id } }),
  };
}

function fittingHeaders(original: EventRecord, edit: Edit): EventRecord["headers"] {
  const { headers, verification } = original;
  const kept = edit.body === null ? headers : withoutProof(headers, verification.header);
  return kept.map(([name, value]): EventRecord["headers"][number] =>
    name === "content-type" && edit.contentType !== null ? [name, edit.contentType] : [name, value],
  );
}
