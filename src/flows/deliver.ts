/** One attempt of one delivery: request, signature, answer, meaning. */

import { authHeaderName, authHeaderValue } from "../core/deliver/auth.ts";
import { type Answer, describe, type Outcome, outcomeOf } from "../core/deliver/outcome.ts";
import { deliveryHeaders } from "../core/deliver/request.ts";
import { haveAllExpired, isLive, type SigningKey } from "../core/deliver/signing-keys.ts";
import { bodyOf } from "../core/enqueue/record.ts";
import { ARCHIVED_VIEW_BYTES_MAX } from "../core/limits.ts";
import type { Target } from "../core/tenant.ts";
import { type Transformer, transform } from "../core/transform/transformer.ts";
import type { AttemptRecord, DeliveryResult } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { OutgoingRequest } from "../ports/transport.ts";
import { archivedBody } from "./archived-body.ts";
import type { Duty } from "./duty.ts";
import { eventRead } from "./event-view.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";
import { signaturesOf, unsignable } from "./sign-delivery.ts";

/** Where a delivery goes, and what is made of the event for it; null for the bytes as they came. */
export interface Outgoing {
  readonly target: Target;
  readonly transformer: Transformer | null;
}

/** What is sent in place of the event's own bytes. */
interface Content {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

export interface Attempted {
  readonly result: DeliveryResult;
  /** Null when nothing was sent. */
  readonly answer: Answer | null;
  /** The receiver said that it is gone for good. */
  readonly targetGone: boolean;
}

/**
 * Sends `duty` to `target` once. Never rejects; null when a failure of ours came before the request,
 * which is then no attempt: the target is not to blame for it.
 */
export async function attempt(
  duty: Duty,
  { target, transformer }: Outgoing,
  ports: DeliverPorts,
): Promise<Attempted | null> {
  const startedAtMs = ports.clock.nowMs();
  let answer: Answer;
  try {
    const made =
      transformer === null
        ? null
        : transform(transformer, await eventRead(duty.held, ARCHIVED_VIEW_BYTES_MAX, ports));
    // Not the receiver's fault: a person corrects the rule, and redrives it.
    if (made?.ok === false) {
      const result = recorded(duty, "dead", `not transformed: ${made.reason}`);
      return { result, answer: null, targetGone: false };
    }
    const content =
      made === null ? null : { contentType: made.contentType, bytes: ports.text.encode(made.body) };
    const keys = target.signingKeys.filter((key) => isLive(key, startedAtMs));
    const unsigned = unsignable(keys, { held: duty.held, instead: content?.bytes ?? null });
    if (unsigned !== null) {
      const result = recorded(duty, "dead", `not signed: ${unsigned}`);
      return { result, answer: null, targetGone: false };
    }
    if (isCalled(target)) {
      answer = await sendOnce(duty, target, keys, content, startedAtMs, ports);
    } else {
      const { deliverElsewhere } = await import("./deliver-elsewhere.ts");
      answer = await deliverElsewhere(duty, target, made, ports);
    }
  } catch (error) {
    ports.log.warn("attempt-not-made", { delivery: duty.id, error: errorText(error) });
    return null;
  }
  const number = duty.attempts + 1;
  const outcome = outcomeOf(answer, number - duty.attemptsBase, target.retry, ports.random.unit());
  ports.meter.add("deliveries_attempted");
  ports.meter.passed(`out_${duty.priority}`, 1, startedAtMs);
  ports.meter.add(outcome.state === "delivered" ? "deliveries_delivered" : "deliveries_failed");
  const record: AttemptRecord = {
    number,
    at: new Date(startedAtMs).toISOString(),
    durationMs: ports.clock.nowMs() - startedAtMs,
    status: answer.kind === "response" ? answer.status : null,
    error: outcome.state === "delivered" ? null : describe(answer),
    answer: answer.kind === "response" ? answer.body : null,
  };
  logAttempt(duty, record, outcome, ports);
  return {
    result: {
      ...recorded(duty, outcome.state, outcome.state === "delivered" ? null : outcome.error),
      attempts: number,
      dueInMs: outcome.state === "retrying" ? outcome.delayMs : null,
      lastStatus: record.status,
      attempt: record,
    },
    answer,
    targetGone: outcome.state === "dead" && outcome.targetGone,
  };
}

/** Over HTTP. What takes another way loads it on first use. */
const isCalled = ({ saga, other }: Target): boolean =>
  saga === null &&
  (other === undefined ||
    other.kind === "pull" ||
    (other.kind === "service" && other.method === null));

/** A result without an attempt: parked, cancelled, or passed on to another queue. */
export function recorded(
  duty: Duty,
  state: DeliveryResult["state"],
  lastError: string | null,
): DeliveryResult {
  const { tenant, receivedAtMs, event, subscription, rule, target, priority, attempts, replay } =
    duty;
  const { source, type } = duty.held.record;
  return {
    ...{ tenant, receivedAtMs, event, subscription, rule, target, priority, source, type },
    ...{ state, attempts, lastError, replay, claimedBy: duty.claimedBy },
    dueInMs: state === "pending" ? 0 : null,
    lastStatus: null,
    attempt: null,
  };
}

async function sendOnce(
  duty: Duty,
  target: Target,
  keys: readonly SigningKey[],
  content: Content | null,
  nowMs: number,
  ports: DeliverPorts,
): Promise<Answer> {
  const proof = await proofOf(duty, target, nowMs, ports);
  if ("kind" in proof) return proof;
  const timestampSeconds = Math.floor(nowMs / 1_000);
  const { record } = duty.held;
  const headers = deliveryHeaders({
    record,
    deliveryId: duty.id,
    rule: duty.rule,
    replay: duty.replay,
    attempt: duty.attempts + 1,
    timestampSeconds,
    signatures: await signaturesOf(
      keys,
      {
        id: duty.id,
        timestampSeconds,
        held: duty.held,
        instead: content?.bytes ?? null,
      },
      ports,
    ),
    targetHeaders: { ...target.headers, ...proof.headers },
    otherContentType: content?.contentType ?? null,
    receivedAt: new Date(record.receivedAtMs).toISOString(),
  });
  const body = content?.bytes ?? (await bodyToSend(duty.held, ports));
  // What the token took is part of the attempt's time, by which its claim is measured.
  const timeoutMs = Math.max(1, target.timeoutMs - (ports.clock.nowMs() - nowMs));
  const request = { url: target.url, headers, body, timeoutMs };
  if (target.other?.kind === "service") return ports.bound.request(target.other.service, request);
  const answer = await ports.transport.send(request);
  proof.heard(answer);
  return answer;
}

interface Proof {
  readonly headers: Readonly<Record<string, string>>;
  /** Takes the answer: a token that was refused is not used again. */
  heard(answer: Answer): void;
}

/** What proves to the receiver who calls, or why there is nothing to prove it with. */
export async function proofOf(
  { tenant }: Pick<Duty, "tenant">,
  { auth, isLocked, signingKeys, timeoutMs }: Target,
  nowMs: number,
  ports: DeliverPorts,
): Promise<Proof | Answer> {
  if (isLocked) return { kind: "network", detail: "the target's secrets are locked" };
  if (haveAllExpired(signingKeys, nowMs)) {
    return { kind: "network", detail: "each signing secret of the target has expired" };
  }
  if (auth === undefined) return { headers: {}, heard() {} };
  if (auth.scheme !== "oauth2") {
    const headers = { [authHeaderName(auth)]: authHeaderValue(auth, ports.text) };
    return { headers, heard() {} };
  }
  const got = await ports.tokens.get(tenant, auth, timeoutMs, ports);
  if (got.kind !== "token") {
    return { kind: got.isFinal ? "refused" : "network", detail: got.detail };
  }
  return {
    headers: { authorization: `Bearer ${got.token}` },
    heard(answer) {
      if (answer.kind === "response" && answer.status === 401) {
        ports.tokens.refused(tenant, auth, got.token, ports.clock);
      }
    },
  };
}

const bodyToSend = (held: HeldEvent, ports: DeliverPorts): Promise<OutgoingRequest["body"]> =>
  held.frame === null ? archivedBody(held, ports) : Promise.resolve(bodyOf(held.frame));

function logAttempt(
  duty: Duty,
  record: AttemptRecord,
  outcome: Outcome,
  ports: DeliverPorts,
): void {
  if (outcome.state === "delivered") return; // counted and in the ledger; a line per success costs more than it says
  ports.log.warn("delivery-failed", {
    tenant: duty.tenant,
    delivery: duty.id,
    rule: duty.rule,
    target: duty.target,
    attempt: record.number,
    state: outcome.state,
    error: outcome.error,
    retryInMs: outcome.state === "retrying" ? outcome.delayMs : null,
  });
}
