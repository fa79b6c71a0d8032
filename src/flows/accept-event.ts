/**
 * From a webhook to a durable event: ingest, verify, admit, match, enqueue. An answer of 202 is given
 * only after the event is durable; everything before that leaves no trace.
 */
import type { GroupCommit } from "../core/enqueue/group-commit.ts";
import { itemBytes, type PackItem } from "../core/enqueue/pack.ts";
import { type EventRecord, encodeFrame } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { eventOf } from "../core/event.ts";
import { eventId, timeOrderedId } from "../core/ids.ts";
import type { DraftEvent } from "../core/ingest/events.ts";
import { keptHeaders, ownSignatureHeader } from "../core/ingest/headers.ts";
import { ARCHIVE_PUT_TIMEOUT_MS, PACK_BYTES_MAX } from "../core/limits.ts";
import {
  demote,
  mostUrgent,
  type Priority,
  prioritiesOf,
  type Subscription,
} from "../core/priority.ts";
import type { Tenant } from "../core/tenant.ts";
import { traceparentOf } from "../core/trace.ts";
import type { Archive } from "../ports/archive.ts";
import { type Random, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type Judgement, type JudgePorts, judgeWebhook, type Webhook } from "./judge-webhook.ts";

export interface Accepted {
  readonly id: string;
  readonly receipt: string;
  readonly deliveries: number;
  readonly priorities: readonly Priority[];
}

export type Acceptance =
  | { readonly kind: "accepted"; readonly form: "single" | "batch"; readonly events: Accepted[] }
  | Exclude<Judgement, { kind: "admitted" }>;

export interface AcceptPorts extends JudgePorts {
  readonly archive: Archive;
  readonly commits: Readonly<Record<Priority, GroupCommit<PackItem>>>;
  readonly random: Random;
  readonly log: Log;
}

export async function acceptEvent(webhook: Webhook, ports: AcceptPorts): Promise<Acceptance> {
  const judgement = await judgeWebhook(webhook, ports);
  if (judgement.kind !== "admitted") return judgement;
  const { tenant, source, receivedAtMs, drafts, demoted, form } = judgement;
  if (demoted) ports.meter.add("events_demoted", drafts.length);

  // match
  const headers = keptHeaders(webhook.headers, judgement.source.verify);
  const trace = webhook.header("traceparent");
  const records = drafts.map((draft) => toRecord(draft, { ...judgement, headers, trace }, ports));

  // enqueue
  try {
    await Promise.all(records.map((record, at) => enqueue(record, drafts[at]?.body, ports)));
  } catch (error) {
    ports.log.error("enqueue-failed", {
      tenant: tenant.id,
      source: source.id,
      events: records.length,
      error: errorText(error),
    });
    const detail =
      records.length === 1
        ? "Neither the queue nor the outbox took the event. Nothing was kept."
        : "Not all of the batch could be kept. Send it again: what was kept is recognised.";
    return { kind: "refused", problem: { slug: "unavailable", detail, retryAfterMs: 2_000 } };
  }
  ports.meter.add("events_accepted", records.length);
  for (const { priority } of records) ports.meter.passed(`in_${priority}`, 1, receivedAtMs);
  return { kind: "accepted", form, events: records.map(toAccepted) };
}

interface Context extends Extract<Judgement, { kind: "admitted" }> {
  readonly headers: EventRecord["headers"];
  /** The sender's own `traceparent`. */
  readonly trace: string | null;
}

function toRecord(draft: DraftEvent, context: Context, ports: AcceptPorts): EventRecord {
  const { tenant, source } = context;
  const identity = { tenant: tenant.id, source: source.id, key: draft.key };
  const header = ownSignatureHeader(source.verify);
  const record: EventRecord = {
    id: eventId(identity, ports.crypto, ports.text),
    // One for each event, not for each request: a batch may hold the same event twice.
    receipt: timeOrderedId("rcp_", context.receivedAtMs, ports.random.bytes(10)),
    tenant: tenant.id,
    source: source.id,
    type: draft.type,
    subject: draft.subject,
    time: draft.time,
    receivedAtMs: context.receivedAtMs,
    contentType: draft.contentType,
    headers: context.headers,
    key: draft.key,
    keyFrom: draft.keyFrom,
    verification: {
      scheme: source.verify.scheme,
      secretIndex: context.secretIndex,
      ...(header === null ? {} : { header }),
    },
    priority: "bulk",
    subscriptions: [],
    revision: tenant.revision,
    traceparent: traceparentOf(context.trace, ports.random.bytes(24)),
    ...(draft.cloudevent === undefined ? {} : { cloudevent: draft.cloudevent }),
  };
  const omitted = draft.dataOmitted === undefined ? {} : { omitted: draft.dataOmitted };
  const matches = tenant.ruleSet.match(eventOf(record, { data: draft.data, ...omitted }));
  return { ...record, ...routed(subscriptionsOf(tenant, matches), context.demoted) };
}

/** Where a matched event goes in by: its most urgent subscription, or bulk when it is demoted. */
function routed(matched: readonly Subscription[], demoted: boolean) {
  const subscriptions = demoted ? demote(matched) : matched;
  const priority = mostUrgent(subscriptions.map((subscription) => subscription.priority));
  return { subscriptions, priority, ...(demoted ? { demoted } : {}) } as const;
}

function subscriptionsOf(tenant: Tenant, ruleIds: readonly string[]): Subscription[] {
  return ruleIds.flatMap((id) => {
    const rule = tenant.rules.get(id);
    if (rule === undefined) return [];
    return rule.targets.map((target) => ({ rule: id, target, priority: rule.priority }));
  });
}

/** Resolves once the event is durable. A frame too big for a message rests in the archive first. */
async function enqueue(
  record: EventRecord,
  body: Uint8Array | undefined,
  ports: AcceptPorts,
): Promise<void> {
  const frame = encodeFrame(record, body ?? new Uint8Array(), ports.text);
  let item: PackItem = { content: frame };
  if (itemBytes(item, ports.text) > PACK_BYTES_MAX - PACK_HEADER_BYTES) {
    const segment = `${record.tenant}/big/${record.id}/${record.receipt}`;
    const late = () => new Retryable("archive did not answer in time");
    const put = ports.archive.put(segment, frame.bytes);
    await within(put, ARCHIVE_PUT_TIMEOUT_MS, ports.clock, late);
    const pointer = { segment, offset: 0, length: frame.bytes.length };
    const stub = { id: record.id, receipt: record.receipt, tenant: record.tenant };
    item = { content: { pointer, ...stub } };
  }
  await ports.commits[record.priority].add(item);
}

const PACK_HEADER_BYTES = 200;

const toAccepted = (record: EventRecord): Accepted => ({
  id: record.id,
  receipt: record.receipt,
  deliveries: record.subscriptions.length,
  priorities: prioritiesOf(record.subscriptions),
});
