/**
 * From a webhook to a durable event: ingest, verify, admit, match, enqueue. An answer of 202 is given
 * only after the event is durable; everything before that leaves no trace.
 */
import { bigKey } from "../core/archive-keys.ts";
import type { GroupCommit } from "../core/enqueue/group-commit.ts";
import type { PackItem } from "../core/enqueue/pack.ts";
import { type EventRecord, encodeHead, joinFrame } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { eventOf } from "../core/event.ts";
import { eventId, timeOrderedId } from "../core/ids.ts";
import type { DraftEvent } from "../core/ingest/events.ts";
import { keptHeaders, ownSignatureHeader } from "../core/ingest/headers.ts";
import type { Json } from "../core/json.ts";
import { ARCHIVE_PUT_TIMEOUT_MS, PACK_BYTES_MAX } from "../core/limits.ts";
import {
  demote,
  FAN_OUT,
  mostUrgent,
  type Priority,
  prioritiesOf,
  type Subscription,
  subscriptionsTo,
} from "../core/priority.ts";
import type { Problem } from "../core/problem.ts";
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
  if (tenant.shadows !== null) webhook.defer?.(ports.admission.tellShadows(tenant));

  // enqueue
  try {
    await enqueueAll(records, (at) => drafts[at]?.body, ports);
  } catch (error) {
    ports.log.error("enqueue-failed", {
      tenant: tenant.id,
      source: source.id,
      events: records.length,
      error: errorText(error),
    });
    return { kind: "refused", problem: notKept(error, records.length) };
  }
  ports.meter.add("events_accepted", records.length);
  for (const { priority } of records) ports.meter.passed(`in_${priority}`, 1, receivedAtMs);
  return { kind: "accepted", form, events: records.map(toAccepted) };
}

/** A copy may have been kept after all, by a store that answered too late: its receipt will tell. */
export function notKept(error: unknown, events: number): Problem {
  const known = error instanceof Retryable;
  const why = known ? error.message : "a store failed";
  const detail =
    events === 1
      ? `The event could not be kept: ${why}. Send it again.`
      : `Not all of the batch could be kept: ${why}. Send it again: what was kept is recognised.`;
  return { slug: "unavailable", detail, retryAfterMs: known ? error.retryAfterMs : 2_000 };
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
  const read = { data: draft.data, ...omitted };
  return matched(record, read, tenant, context.demoted, ports);
}

/** The event with its subscriptions, by the rules of `tenant`. */
export function matched(
  record: EventRecord,
  read: { readonly data: Json; readonly omitted?: "too-large" },
  tenant: Tenant,
  demoted: boolean,
  ports: Pick<AcceptPorts, "admission">,
): EventRecord {
  const matches = tenant.ruleSet.match(eventOf(record, read));
  if (tenant.shadows !== null) {
    ports.admission.shadowsMatched(tenant, matches, record.receivedAtMs);
  }
  return { ...record, ...routed(subscriptionsOf(tenant, matches), demoted) };
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
    return rule.forEach === undefined
      ? subscriptionsTo(rule, rule.priority)
      : [{ rule: id, target: FAN_OUT, priority: rule.priority }];
  });
}

/** Resolves once the event is durable. A frame too big for a message rests in the archive first. */
export async function enqueue(
  record: EventRecord,
  body: Uint8Array = new Uint8Array(),
  ports: Pick<AcceptPorts, "archive" | "clock" | "commits" | "text">,
): Promise<void> {
  const head = encodeHead(record, body.length, ports.text);
  const length = head.length + body.length;
  let content: PackItem["content"];
  if (length <= PACK_BYTES_MAX - PACK_OVERHEAD_BYTES) content = joinFrame(record, head, body);
  else {
    const segment = bigKey(record);
    const late = () => new Retryable("archive did not answer in time");
    const put = ports.archive.put(segment, [head, body]);
    await within(put, ARCHIVE_PUT_TIMEOUT_MS, ports.clock, late);
    const { id, receipt, tenant } = record;
    content = { pointer: { segment, offset: 0, length }, id, receipt, tenant };
  }
  await ports.commits[record.priority].add({ content });
}

/**
 * All of them, each with its body. Ends when the last has, also when one fails: the commits that this request leads
 * carry events of others, and may end with it.
 */
export async function enqueueAll(
  records: readonly EventRecord[],
  bodyOf: (at: number) => Uint8Array | undefined,
  ports: Parameters<typeof enqueue>[2],
): Promise<void> {
  const ended = await Promise.allSettled(
    records.map((record, at) => enqueue(record, bodyOf(at), ports)),
  );
  const failed = ended.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** What a pack adds to its only frame, at most. */
const PACK_OVERHEAD_BYTES = 206;

/** What whoever sent it is told. */
export const toAccepted = (record: EventRecord): Accepted => ({
  id: record.id,
  receipt: record.receipt,
  deliveries: record.subscriptions.length,
  priorities: prioritiesOf(record.subscriptions),
});
