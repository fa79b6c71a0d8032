/**
 * Whether a webhook may become events: found, read, verified and admitted, by the configuration that
 * holds now. What this isolate remembers may be a second old, so it neither refuses nor accepts
 * anything that newer configuration would judge otherwise.
 */
import type { Crypto, Text } from "../core/crypto.ts";
import { Retryable } from "../core/errors.ts";
import { isSlug } from "../core/ids.ts";
import {
  type DraftEvent,
  namesInBody,
  type ReceivedRequest,
  readEvents,
} from "../core/ingest/events.ts";
import { slackChallenge } from "../core/ingest/slack.ts";
import type { Names } from "../core/json.ts";
import type { Problem } from "../core/problem.ts";
import type { Source, Tenant } from "../core/tenant.ts";
import { verify } from "../core/verify/verify.ts";
import type { Clock } from "../ports/clock.ts";
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
  /** Has something run on after the answer, where the door can. */
  readonly defer?: (work: Promise<unknown>) => void;
}

export type Judgement =
  | {
      readonly kind: "admitted";
      readonly tenant: Tenant;
      readonly source: Source;
      readonly receivedAtMs: number;
      readonly secretIndex: number | null;
      readonly demoted: boolean;
      readonly form: "single" | "batch";
      readonly drafts: readonly DraftEvent[];
    }
  /** A provider's question whether this is the right place; nothing happened that is an event. */
  | { readonly kind: "challenge"; readonly answer: string }
  | { readonly kind: "refused"; readonly problem: Problem };

export interface JudgePorts {
  readonly directory: Directory;
  readonly admission: Admission;
  readonly crypto: Crypto;
  readonly text: Text;
  readonly clock: Clock;
  readonly meter: Meter;
}

interface Found {
  readonly tenant: Tenant;
  readonly source: Source;
}

interface Received extends ReceivedRequest {
  readonly receivedAtMs: number;
}

/** A person has to bring the key. */
const LOCKED_RETRY_MS = 60_000;

/** Judgements of one request, or of an event of the router's own, while its configuration keeps changing under it. */
export const JUDGEMENTS_MAX = 4;

const SOURCE_UNKNOWN: Problem = {
  slug: "source-unknown",
  detail: "No source of this tenant and name takes webhooks here.",
};

export async function judgeWebhook(webhook: Webhook, ports: JudgePorts): Promise<Judgement> {
  let found = await findSource(webhook, ports.directory);
  if (found === null) return refuse(SOURCE_UNKNOWN);
  const body = await webhook.readBody(found.source.bytesMax);
  const receivedAtMs = ports.clock.nowMs();
  if (body === null) return refuse(await tooLarge(found, ports));
  const request = { header: webhook.header, headers: webhook.headers, body, receivedAtMs };

  for (let judgements = 0; judgements < JUDGEMENTS_MAX; judgements += 1) {
    const judged = await judge(request, found, ports);
    if (judged.kind === "judged") return judged.judgement;
    found = sourceIn(await ports.directory.at(webhook.tenant, judged.revision), webhook.source);
    if (found === null) return refuse(SOURCE_UNKNOWN);
  }
  throw new Retryable("the configuration keeps changing");
}

type Judged =
  | { readonly kind: "judged"; readonly judgement: Judgement }
  /** There is newer configuration, by which this must be judged again. */
  | { readonly kind: "outdated"; readonly revision: number };

async function judge(request: Received, found: Found, ports: JudgePorts): Promise<Judged> {
  const { tenant, source } = found;
  if (source.isLocked) {
    const newer = await outdated(tenant, ports);
    if (newer !== null) return newer;
    // No fault of the sender's: what it sends again is taken once the key is there.
    throw new Retryable("the source's secrets are locked", LOCKED_RETRY_MS);
  }
  const judged = (judgement: Judgement): Judged => ({ kind: "judged", judgement });

  // verify
  const verdict = verify(source.verify, request, ports.crypto, ports.text);
  if (!verdict.ok) {
    // Perhaps its secret was changed a moment ago, through another isolate.
    return (await outdated(tenant, ports)) ?? judged(refuse(notVerified(source, verdict.reason)));
  }
  const { secretIndex } = verdict;
  if (secretIndex !== null) ports.admission.secretUsed(tenant, source, secretIndex);
  const read = readEvents(request, eventSourceOf(source), ports, namesOf(tenant, source));
  if (!read.ok) return judged(refuse({ slug: read.problem, ...read }));
  const challenge = source.verify.scheme === "slack" ? slackChallenge(read.events[0]?.data) : null;
  if (challenge !== null) return judged({ kind: "challenge", answer: challenge });

  // admit
  const tooMany = beyondBurst(found, read.events.length);
  if (tooMany !== null) return (await outdated(tenant, ports)) ?? judged(refuse(tooMany));
  const admitted = await ports.admission.admit(tenant, source, read.events.length);
  const { revision } = admitted;
  if (revision > tenant.revision) return { kind: "outdated", revision };
  if (admitted.kind === "refused") {
    ports.meter.add("events_refused", read.events.length);
    return judged(refuse(overLimit(admitted)));
  }
  const demoted = admitted.kind === "demoted";
  const { form, events: drafts } = read;
  const { receivedAtMs } = request;
  return judged({
    kind: "admitted",
    ...{ tenant, source, receivedAtMs, secretIndex, demoted, form, drafts },
  });
}

/** Asked before anything is refused by what this isolate remembers. */
async function outdated(tenant: Tenant, { admission }: JudgePorts): Promise<Judged | null> {
  const revision = await admission.revisionOf(tenant);
  return revision > tenant.revision ? { kind: "outdated", revision } : null;
}

/** A source that is not known here may be new: one read of the store decides. */
async function findSource(webhook: Webhook, directory: Directory): Promise<Found | null> {
  if (!isSlug(webhook.tenant) || !isSlug(webhook.source)) return null;
  const known = await directory.get(webhook.tenant);
  if (known === null) return null;
  return (
    sourceIn(known, webhook.source) ??
    sourceIn(await directory.refresh(webhook.tenant), webhook.source)
  );
}

function sourceIn(tenant: Tenant | null, id: string): Found | null {
  const source = tenant?.sources.get(id);
  return tenant === null || source === undefined ? null : { tenant, source };
}

const eventSourceOf = (source: Source) => ({
  scheme: source.verify.scheme,
  ...(source.idempotencyKey === undefined ? {} : { idempotencyKey: source.idempotencyKey }),
  ...(source.typeFrom === undefined ? {} : { typeFrom: source.typeFrom }),
});

const named = new WeakMap<Tenant["ruleSet"], WeakMap<Source, Names>>();

/** Made once for each revision: rules name many places. */
function namesOf({ ruleSet }: Tenant, source: Source): Names {
  const bySource = named.get(ruleSet) ?? new WeakMap<Source, Names>();
  named.set(ruleSet, bySource);
  const names = bySource.get(source) ?? namesInBody(ruleSet.names, eventSourceOf(source));
  bySource.set(source, names);
  return names;
}

const refuse = (problem: Problem): Extract<Judgement, { kind: "refused" }> => ({
  kind: "refused",
  problem,
});

/** The body cannot be read again; if its bound was changed a moment ago, the sender's repeat is judged by it. */
async function tooLarge({ tenant, source }: Found, ports: JudgePorts): Promise<Problem> {
  const revision = await ports.admission.revisionOf(tenant);
  if (revision > tenant.revision) await ports.directory.at(tenant.id, revision);
  return {
    slug: "payload-too-large",
    detail: `This source takes bodies of up to ${source.bytesMax} bytes.`,
    extensions: { bytesMax: source.bytesMax },
  };
}

/** A batch that no bucket will ever hold: waiting does not help, so it is not told to. */
function beyondBurst({ tenant, source }: Found, events: number): Problem | null {
  const limits = [source.limit, tenant.limit].filter((limit) => limit?.overflow === "reject");
  const eventsMax = Math.min(...limits.map((limit) => limit?.burst ?? Number.POSITIVE_INFINITY));
  if (events <= eventsMax) return null;
  const detail = `The batch has ${events} events; the limit's burst is ${eventsMax}.`;
  return { slug: "payload-too-large", detail, extensions: { eventsMax } };
}

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
