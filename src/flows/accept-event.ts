/**
 * From a webhook to a durable event: ingest, verify, admit, match, enqueue. An answer of 202 is given
 * only after the event is durable; everything before that leaves no trace.
 */
import type { Crypto, Text } from "../core/crypto.ts";
import type { GroupCommit } from "../core/enqueue/group-commit.ts";
import { itemBytes, type PackItem } from "../core/enqueue/pack.ts";
import { type EventRecord, encodeFrame } from "../core/enqueue/record.ts";
import { eventOf } from "../core/event.ts";
import { eventId, isSlug, timeOrderedId } from "../core/ids.ts";
import { type DraftEvent, readEvents } from "../core/ingest/events.ts";
import { keptHeaders, ownSignatureHeader } from "../core/ingest/headers.ts";
import { slackChallenge } from "../core/ingest/slack.ts";
import { PACK_BYTES_MAX } from "../core/limits.ts";
import {
  demote,
  mostUrgent,
  type Priority,
  prioritiesOf,
  type Subscription,
} from "../core/priority.ts";
import type { Problem } from "../core/problem.ts";
import type { Source, Tenant } from "../core/tenant.ts";
import { traceparentOf } from "../core/trace.ts";
import { verify } from "../core/verify/verify.ts";
import type { Archive } from "../ports/archive.ts";
import type { Clock, Random } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type { Meter } from "../ports/meter.ts";
import type { Admission, Admitted } from "./admit.ts";
import type { Directory } from "./directory.ts";

/** A webhook as it arrived. */
export interface Webhook {
  readonly tenant: string;
  readonly source: string;
  readonly headers: readonly (readonly [string, string])[];
  header(name: string): string | null;
  /** The whole body, or null as soon as it is longer than `bytesMax`. */
  readBody(bytesMax: number): Promise<Uint8Array | null>;
}

export interface Accepted {
  readonly id: string;
  readonly receipt: string;
  readonly deliveries: number;
  readonly priorities: readonly Priority[];
}

export type Acceptance =
  | { readonly kind: "accepted"; readonly form: "single" | "batch"; readonly events: Accepted[] }
  /** A provider's question whether this is the right place; nothing happened that is an event. */
  | { readonly kind: "challenge"; readonly answer: string }
  | { readonly kind: "refused"; readonly problem: Problem };

export interface AcceptPorts {
  readonly directory: Directory;
  readonly admission: Admission;
  readonly archive: Archive;
  readonly commits: Readonly<Record<Priority, GroupCommit<PackItem>>>;
  readonly crypto: Crypto;
  readonly text: Text;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
}

const SOURCE_UNKNOWN: Problem = {
  slug: "source-unknown",
  detail: "No source of this tenant and name takes webhooks here.",
};

export async function acceptEvent(webhook: Webhook, ports: AcceptPorts): Promise<Acceptance> {
  const found = await findSource(webhook, ports.directory);
  if (found === null) return refuse(SOURCE_UNKNOWN);
  const { tenant, source } = found;

  // ingest
  const body = await webhook.readBody(source.bytesMax);
  const receivedAtMs = ports.clock.nowMs();
  if (body === null) return refuse(tooLarge(source.bytesMax));
  const request = { header: webhook.header, headers: webhook.headers, body, receivedAtMs };

  // verify
  const verdict = verify(source.verify, request, ports.crypto, ports.text);
  if (!verdict.ok) return refuse(notVerified(source, verdict.reason));
  if (verdict.secretIndex !== null) {
    ports.admission.secretUsed(tenant, source, verdict.secretIndex);
  }
  const read = readEvents(request, { scheme: source.verify.scheme, ...keyAndType(source) }, ports);
  if (!read.ok) return refuse({ slug: read.problem, ...read });
  const challenge = source.verify.scheme === "slack" ? slackChallenge(read.events[0]?.data) : null;
  if (challenge !== null) return { kind: "challenge", answer: challenge };

  // admit
  const admitted = await ports.admission.admit(tenant, source, read.events.length);
  if (admitted.kind === "refused") {
    ports.meter.add("events_refused", read.events.length);
    return refuse(overLimit(admitted));
  }
  const current = await ports.directory.at(tenant.id, admitted.revision);
  if (!current?.sources.has(source.id)) return refuse(SOURCE_UNKNOWN);

  // match
  const receipt = timeOrderedId("rcp_", receivedAtMs, ports.random.bytes(10));
  const { secretIndex } = verdict;
  const demoted = admitted.kind === "demoted";
  if (demoted) ports.meter.add("events_demoted", read.events.length);
  const context = { tenant: current, source, webhook, secretIndex, receivedAtMs, receipt, demoted };
  const records = read.events.map((draft) => toRecord(draft, context, ports));

  // enqueue
  try {
    await Promise.all(records.map((record, at) => enqueue(record, read.events[at]?.body, ports)));
  } catch (error) {
    ports.log.error("enqueue-failed", { tenant: tenant.id, receipt, error: errorText(error) });
    return refuse({
      slug: "unavailable",
      detail: "Neither the queue nor the outbox took the event. Nothing was kept.",
      retryAfterMs: 2_000,
    });
  }
  ports.meter.add("events_accepted", records.length);
  for (const { priority } of records) ports.meter.passed(`in_${priority}`, 1, receivedAtMs);
  return { kind: "accepted", form: read.form, events: records.map(toAccepted) };
}

/** A source that is not known here may be new: one read of the store decides. */
async function findSource(
  webhook: Webhook,
  directory: Directory,
): Promise<{ tenant: Tenant; source: Source } | null> {
  if (!isSlug(webhook.tenant) || !isSlug(webhook.source)) return null;
  const known = await directory.get(webhook.tenant);
  if (known === null) return null;
  const tenant = known.sources.has(webhook.source) ? known : await directory.reload(webhook.tenant);
  const source = tenant?.sources.get(webhook.source);
  return tenant === null || source === undefined ? null : { tenant, source };
}

const keyAndType = (source: Source) => ({
  ...(source.idempotencyKey === undefined ? {} : { idempotencyKey: source.idempotencyKey }),
  ...(source.typeFrom === undefined ? {} : { typeFrom: source.typeFrom }),
});

interface Context {
  readonly tenant: Tenant;
  readonly source: Source;
  readonly webhook: Webhook;
  readonly secretIndex: number | null;
  readonly receivedAtMs: number;
  readonly receipt: string;
  readonly demoted: boolean;
}

function toRecord(draft: DraftEvent, context: Context, ports: AcceptPorts): EventRecord {
  const { tenant, source, webhook } = context;
  const identity = { tenant: tenant.id, source: source.id, key: draft.key };
  const { scheme } = source.verify;
  const header = ownSignatureHeader(source.verify);
  const record: EventRecord = {
    id: eventId(identity, ports.crypto, ports.text),
    receipt: context.receipt,
    tenant: tenant.id,
    source: source.id,
    type: draft.type,
    subject: draft.subject,
    time: draft.time,
    receivedAtMs: context.receivedAtMs,
    contentType: draft.contentType,
    headers: keptHeaders(webhook.headers, source.verify),
    key: draft.key,
    keyFrom: draft.keyFrom,
    verification: {
      scheme,
      secretIndex: context.secretIndex,
      ...(header === null ? {} : { header }),
    },
    priority: "bulk",
    subscriptions: [],
    revision: tenant.revision,
    traceparent: traceparentOf(webhook.header("traceparent"), ports.random.bytes(24)),
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
    await ports.archive.put(segment, frame.bytes);
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

const refuse = (problem: Problem): Acceptance => ({ kind: "refused", problem });

const tooLarge = (bytesMax: number): Problem => ({
  slug: "payload-too-large",
  detail: `This source takes bodies of up to ${bytesMax} bytes.`,
  extensions: { bytesMax },
});

const notVerified = (source: Source, reason: string): Problem => ({
  slug: "signature-invalid",
  detail: `The request does not satisfy the scheme ${source.verify.scheme}.`,
  extensions: { reason },
});

const overLimit = (refused: Extract<Admitted, { kind: "refused" }>): Problem => ({
  slug: "rate-limited",
  detail: `The ${refused.scope}'s limit is reached.`,
  retryAfterMs: refused.retryAfterMs,
  extensions: { scope: refused.scope },
});
