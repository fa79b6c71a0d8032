/** One batch of a target: what is due is found, leased, sent as one request, and settled delivery by delivery. */
import { batchOutcomes } from "../core/batch/answer.ts";
import { type BatchLimits, fitting, goesInMs } from "../core/batch/batch.ts";
import {
  BATCH_ANSWER_BYTES_MAX,
  BATCH_ASK_MS_MAX,
  BATCH_ATTRIBUTES_BYTES_DEFAULT,
  BATCH_LEASE_MARGIN_MS,
  BATCH_READ_MS_MAX,
  BATCH_REASON_CHARS_MAX,
  BATCH_UNANSWERED_MAX,
} from "../core/batch/limits.ts";
import { type Answer, describe, type Outcome } from "../core/deliver/outcome.ts";
import { attemptsMaxOf } from "../core/deliver/retry.ts";
import type { GateConfig } from "../core/gate/index.ts";
import { timeOrderedId } from "../core/ids.ts";
import { ARCHIVED_VIEW_BYTES_MAX } from "../core/limits.ts";
import { PRIORITIES, type Priority } from "../core/priority.ts";
import type { Target, Tenant } from "../core/tenant.ts";
import { BATCH_TOKEN, type BatchResult } from "../ports/batches.ts";
import { keyOf } from "../ports/claim.ts";
import { within } from "../ports/clock.ts";
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import { NO_LEASE, type Ready } from "../ports/pulls.ts";
import { mayGo } from "./batch-changes.ts";
import { type BatchMessage, messagesOf } from "./batch-messages.ts";
import { requestOf } from "./batch-request.ts";
import { disableTarget, GONE } from "./disable-target.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";
import { gatePriority } from "./release-parked.ts";
import { giveBackBatch, settleBatch } from "./settle-batch.ts";

/** What is due now, of which as much goes as fits. */
export interface DueBatch {
  readonly id: GateId;
  readonly target: Target;
  readonly rules: Tenant["rules"];
  /** By which the target and the rules are so, and when that was asked for. */
  readonly revision: number;
  readonly lookedAtMs: number;
  readonly limits: BatchLimits;
  readonly ready: readonly Ready[];
  readonly count: number;
  readonly bytes: number;
  readonly waitedMs: number;
  /** For its gate: of the most urgent; whether none is tried for the first time. */
  readonly config: GateConfig;
  readonly priority: Priority;
  readonly isRetry: boolean;
  readonly timeoutMs: number;
}

export type Look =
  /** Nothing is sent: the target is closed, gone, or gets no batches. */
  | { readonly kind: "closed" }
  | {
      readonly kind: "waits";
      /** As they are: its gate may know others. */
      readonly limits: BatchLimits;
      readonly count: number;
      readonly bytes: number;
      /** The oldest. */
      readonly waitedMs: number;
      /** Of those that may not go yet. */
      readonly nextDueInMs: number | null;
    }
  | ({ readonly kind: "due" } & DueBatch);

export interface HeldBatch extends Pick<DueBatch, "id" | "target" | "revision" | "lookedAtMs"> {
  readonly token: string;
  readonly leasedAtMs: number;
  readonly messages: readonly BatchMessage[];
}

/** Rejects when a store does not answer. */
export async function lookForBatch(
  id: GateId,
  limits: BatchLimits,
  ports: DeliverPorts,
): Promise<Look> {
  const batches = await ports.batches();
  const lookedAtMs = ports.clock.nowMs();
  const { revision, ready: found } = await batches.look(id, limits.eventsMax);
  const tenant = revision === null ? null : await ports.directory.at(id.tenant, revision);
  const target = tenant?.targets.get(id.target);
  const now = target?.gate.batch;
  if (!tenant || !target || target.closed !== null || now === undefined) return { kind: "closed" };
  // Its gate knows other limits than these: it is told of them with the next ask.
  if (now.eventsMax > limits.eventsMax) return lookForBatch(id, now, ports);
  const ready = await answerable(found, target, ports);
  const sized = ready.map((each) => ({ ...each, bytes: bytesOf(each) }));
  const inMs = goesInMs(sized, now);
  const sums = {
    count: ready.length,
    bytes: sized.reduce((sum, { bytes }) => sum + bytes, 0),
    waitedMs: Math.max(0, ...ready.map(({ waitedMs }) => waitedMs)),
  };
  if (inMs !== 0) {
    const nextDueInMs = await batches.nextDueInMs(id);
    return { kind: "waits", limits: now, ...sums, nextDueInMs };
  }
  const ranks = ready.map((each) => PRIORITIES.indexOf(gatePriority(each)));
  return {
    ...{ kind: "due", id, target, rules: tenant.rules, limits: now, ready, ...sums },
    ...{ revision: tenant.revision, lookedAtMs },
    ...{ config: target.gate, priority: PRIORITIES[Math.min(...ranks)] ?? "bulk" },
    ...{ isRetry: ready.every(({ tries }) => tries > 0), timeoutMs: target.timeoutMs },
  };
}

/** Without those that died with their process again and again, which are dead letters. */
async function answerable(
  found: readonly Ready[],
  { retry }: Target,
  ports: DeliverPorts,
): Promise<readonly Ready[]> {
  const triesMax = attemptsMaxOf(retry) + BATCH_UNANSWERED_MAX;
  const spent = found.filter(({ tries }) => tries >= triesMax);
  if (spent.length === 0) return found;
  const reason = "its batches ended without an answer again and again; attempts exhausted";
  await (await ports.pulls()).bury(spent, NO_LEASE, reason);
  return found.filter(({ tries }) => tries < triesMax);
}

/** What a large event weighs in a batch is the place where its bytes are. */
const bytesOf = ({ pointer: { length } }: Ready): number =>
  length > ARCHIVED_VIEW_BYTES_MAX ? BATCH_ATTRIBUTES_BYTES_DEFAULT : length;

/**
 * Reads the first of what is due, as many as fit, and leases them: nobody else sends them while the lease lasts. Null
 * when nothing can go. Rejects when a store does not answer.
 */
export async function takeBatch(due: DueBatch, ports: DeliverPorts): Promise<HeldBatch | null> {
  const { id, target, rules, revision, lookedAtMs, limits, ready } = due;
  const pulls = await ports.pulls();
  const near = ready.slice(0, fitting(ready.map(bytesOf), limits));
  const late = () => new Error("the archive did not answer in time");
  const reading = messagesOf(id, near, rules, ports);
  const { messages, unmade } = await within(reading, BATCH_READ_MS_MAX, ports.clock, late);
  for (const [reason, some] of unmade) await inTime(pulls.bury(some, NO_LEASE, reason), ports);
  const sizes = messages.map(({ bytes }) => bytes.length);
  const going = messages.slice(0, fitting(sizes, limits));
  if (going.length === 0) return null;
  const leasedAtMs = ports.clock.nowMs();
  const token = timeOrderedId(BATCH_TOKEN, leasedAtMs, ports.random.bytes(10));
  const leaseMs = target.timeoutMs + BATCH_LEASE_MARGIN_MS;
  const deliveries = going.map(({ delivery }) => delivery);
  const held = { id, target, revision, lookedAtMs, token, leasedAtMs };
  try {
    const leased = await inTime(pulls.lease(deliveries, token, leaseMs), ports);
    const own = going.filter(({ delivery }) => leased.has(keyOf(delivery)));
    return own.length === 0 ? null : { ...held, messages: own };
  } catch (error) {
    // Also what may have been leased by a call that said nothing of it.
    await giveBackBatch({ ...held, messages: going }, ports);
    throw error;
  }
}

/**
 * One request. Null when a failure of ours came before it, or when it may not go any more as it was made: then nothing
 * of it was attempted, and the next look says what becomes of it. Never rejects.
 */
export async function sendBatch(held: HeldBatch, ports: DeliverPorts): Promise<Answer | null> {
  const { id, target, messages } = held;
  const startedAtMs = ports.clock.nowMs();
  let answer: Answer;
  let batch: string;
  try {
    const made = await requestOf(held, startedAtMs, ports);
    batch = made.batch;
    const late = () => new Error("the ledger did not say in time what has changed");
    if (!(await within(mayGo(held, ports), BATCH_ASK_MS_MAX, ports.clock, late))) {
      await giveBackBatch(held, ports);
      return null;
    }
    answer = "answer" in made ? made.answer : await ports.transport.send(made.request);
    if ("request" in made) made.heard(answer);
  } catch (error) {
    ports.log.warn("batch-not-sent", { gate: targetKey(id), error: errorText(error) });
    await giveBackBatch(held, ports);
    return null;
  }
  const tried = messages.map(({ delivery, names }) => ({ names, tries: delivery.tries + 1 }));
  const { outcomes, strangers } = batchOutcomes(
    answer,
    isWhole(answer, ports),
    tried,
    target.retry,
    ports.random.unit(),
  );
  const results = messages.map(({ delivery }, at): BatchResult => {
    const outcome = outcomes[at] ?? { state: "delivered" };
    return resultOf(held, delivery, { outcome, answer, batch, startedAtMs }, ports);
  });
  const failed = outcomes.filter(({ state }) => state !== "delivered").length;
  ports.meter.add("deliveries_attempted", results.length);
  ports.meter.add("deliveries_delivered", results.length - failed);
  ports.meter.add("deliveries_failed", failed);
  for (const { delivery } of messages) {
    ports.meter.passed(`out_${delivery.priority}`, 1, startedAtMs);
  }
  if (failed > 0 || strangers > 0) {
    const counts = { deliveries: results.length, failed, strangers };
    ports.log.warn("target-batch-failed", {
      ...{ tenant: id.tenant, target: id.target, batch, ...counts, answer: describe(answer) },
    });
  }
  await settleBatch(held, results, ports);
  if (answer.kind === "response" && answer.status === 410) {
    await disableTarget(id, target.gate.version, GONE, ports);
  }
  return answer;
}

const isWhole = (answer: Answer, { text }: DeliverPorts): boolean =>
  answer.kind !== "response" || text.encode(answer.body).length < BATCH_ANSWER_BYTES_MAX;

interface Attempted {
  readonly outcome: Outcome;
  readonly answer: Answer;
  readonly batch: string;
  readonly startedAtMs: number;
}

function resultOf(
  { token, leasedAtMs }: HeldBatch,
  { tenant, receivedAtMs, event, subscription, attempts }: Ready,
  { outcome, answer, batch, startedAtMs }: Attempted,
  { clock }: DeliverPorts,
): BatchResult {
  const lastError = outcome.state === "delivered" ? null : outcome.error;
  const lastStatus = answer.kind === "response" ? answer.status : null;
  const attempt = {
    ...{ number: attempts + 1, at: new Date(startedAtMs).toISOString(), status: lastStatus, batch },
    ...{ durationMs: clock.nowMs() - startedAtMs, error: lastError },
    answer: answer.kind === "response" ? answer.body.slice(0, BATCH_REASON_CHARS_MAX) : null,
  };
  return {
    ...{ tenant, receivedAtMs, event, subscription, token, leasedAtMs },
    ...{ state: outcome.state === "retrying" ? "parked" : outcome.state, lastStatus, lastError },
    ...{ dueInMs: outcome.state === "retrying" ? outcome.delayMs : null, attempt },
  };
}
