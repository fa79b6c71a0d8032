/**
 * One queue batch: claim, deliver, settle, then ack. Every delivery is settled on its own; a message is
 * acknowledged only when everything in it is written down, and a failing part is retried alone.
 */
import { type LetGo, mapWithin, type Places } from "../core/deliver/schedule.ts";
import { Retryable } from "../core/errors.ts";
import {
  BATCH_BEGIN_MS_MAX,
  CONNECTIONS_MAX,
  CONNECTIONS_PER_TARGET_MAX,
  LEASE_MARGIN_MS,
  LEASE_SECONDS,
} from "../core/limits.ts";
import type { QueueName } from "../core/priority.ts";
import { connectionsOf, type QueueControl } from "../core/queue-control.ts";
import { settleGroupMax } from "../core/settle.ts";
import type { Tenant } from "../core/tenant.ts";
import { type DeliveryResult, keyOf } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import { answerMessages } from "./answer-messages.ts";
import { beginAttempt } from "./begin-attempt.ts";
import type { ListDuty } from "./begin-fan-out.ts";
import { type Claimed, claimBatch } from "./claim.ts";
import { decideDelivery, unmatchedResult } from "./decide-delivery.ts";
import { waitedMs } from "./fair-shares.ts";
import { type GatedDuty, openGates } from "./gate-session.ts";
import { giveBack, keptFrom, putBack, unkeptOf } from "./give-back.ts";
import { keepSegments } from "./keep-segments.ts";
import { endsWithin, type LateAttempt, settleLate, underWay } from "./late-attempts.ts";
import {
  GIVEN_BACK_RETRY_SECONDS,
  type HeldEvent,
  type OpenedBatch,
  type OpenMessage,
  type QueueMessage,
  retryLater,
  tryAgainLater,
} from "./open-messages.ts";
import { passTurns } from "./pass-turns.ts";
import { portionsOf } from "./portions.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";
import { type Settled, sendAgain } from "./send-again.ts";
import { sendInOrder } from "./send-in-order.ts";
import { createSettler } from "./settle.ts";
import { createSlowPlaces, type Place } from "./slow-places.ts";
import {
  behind,
  inPlace,
  isFree,
  noTurns,
  owedAgain,
  takeTurns,
  unmade,
  withPlace,
  withPlaces,
} from "./take-turns.ts";
import { tellBatches } from "./tell-batches.ts";

/** Which queue a batch comes from; "dead" holds messages whose handling crashed too often. */
export type QueueRole = QueueName | "dead";

/** Never rejects: whatever happens, each message is acknowledged or retried by name. */
export async function deliverBatch(
  role: QueueRole,
  messages: readonly QueueMessage[],
  ports: DeliverPorts,
): Promise<void> {
  if (role !== "dead" && !(await ports.queueValves.opened(role, ports))) {
    const held = messages.map((message): OpenMessage => {
      return { message, origin: null, retryAfterSeconds: GIVEN_BACK_RETRY_SECONDS };
    });
    return answerMessages(role, held, ports);
  }
  const invocation = { untilMs: ports.clock.nowMs() + BATCH_BEGIN_MS_MAX, lateCount: 0 };
  for await (const portion of portionsOf(messages, ports)) {
    await workOn(role, portion, invocation, ports);
    await answerMessages(role, portion.messages, ports);
  }
}

/** What the portions of a batch have in common. */
interface Invocation {
  /** None is begun any more from then on. */
  readonly untilMs: number;
  /** Attempts that are not waited for, each with a connection. */
  lateCount: number;
}

async function workOn(
  role: QueueRole,
  opened: OpenedBatch,
  invocation: Invocation,
  ports: DeliverPorts,
): Promise<void> {
  try {
    if (opened.events.length === 0) return;
    const { untilMs, lateCount } = invocation;
    const mayBegin = ports.clock.nowMs() < untilMs && lateCount < CONNECTIONS_MAX;
    if (mayBegin) return await work(role, opened, invocation, ports);
    for (const open of opened.messages) retryLater(open, GIVEN_BACK_RETRY_SECONDS);
  } catch (error) {
    ports.log.error("batch-failed", { role, error: errorText(error) });
    for (const open of opened.messages) tryAgainLater(open);
  }
}

async function work(
  role: QueueRole,
  opened: OpenedBatch,
  invocation: Invocation,
  ports: DeliverPorts,
): Promise<void> {
  const deadlineMs = ports.clock.nowMs() + LEASE_SECONDS * 1_000 - LEASE_MARGIN_MS;
  if (!ports.ledgerProbe.mayAsk()) throw new Retryable("the ledger did not answer just now");
  const claimed = await claimBatch(opened, ports).catch((error: unknown) => {
    ports.ledgerProbe.failed();
    throw error;
  });
  ports.ledgerProbe.answered();
  ports.queueValves.learn(claimed.controls, ports.clock.nowMs());
  const control = role === "dead" ? null : ports.queueValves.of(role);
  if (control?.isPaused === true) return putBack(opened, claimed, ports);
  ports.meter.add("events_duplicate", claimed.duplicates.length);
  const tenants = await tenantsOf(opened, claimed, ports);
  const keptOf = keepSegments(claimed, ports);
  const waited = waitedMs(opened.messages, control?.delaySeconds ?? 0, ports.clock.nowMs());
  const results = claimed.duties.length + claimed.unmatched.length;
  const settler = createSettler(claimed.token, settleGroupMax(results), ports);
  const settled: Settled[] = [];
  const closed = new Set<string>();

  /**
   * The ledger promises nothing whose bytes do not rest. What was delivered is written down all the same,
   * and that the bytes are still to come.
   */
  async function settle(held: HeldEvent, result: DeliveryResult, last: boolean): Promise<void> {
    const isKept = await keptOf(held);
    if (!isKept && result.state !== "delivered") return;
    settled.push({ held, result });
    settler.add(isKept ? result : { ...result, isUnplaced: true }, last);
  }

  /** Not awaited one by one: no delivery waits until the archive has another's bytes. */
  const settling: Promise<void>[] = [];
  const delivered = new Set<Promise<void>>();
  const late: LateAttempt[] = [];
  const ready: GatedDuty[] = [];
  const lists: ListDuty[] = [];
  for (const duty of claimed.duties) {
    const decided = decideDelivery(duty, role, tenants, claimed.cancelledFanOuts);
    if (decided.kind === "attempt") ready.push({ duty, outgoing: decided.outgoing });
    else if (decided.kind === "fan-out") lists.push({ duty, rule: decided.rule });
    else {
      const result = withPlace(decided.result, duty, tenants, ports);
      settling.push(settle(duty.held, result, false));
    }
  }
  for (const event of claimed.unmatched) {
    settling.push(settle(event, unmatchedResult(event.record), false));
  }

  if (lists.length > 0) {
    const { beginFanOuts } = await import("./begin-fan-out.ts");
    settling.push(beginFanOuts(lists, deadlineMs, keptOf, settle, ports));
  }

  const { going, waiting } = ports.fairShares.divide(
    role,
    withPlaces(ready, ports),
    waited,
    ports.clock.nowMs(),
  );
  const [free, placed] = [going.filter(isFree), going.filter((gated) => !isFree(gated))];
  const gates = openGates(free, ports);
  let open = ready.length;
  const end = ({ duty }: GatedDuty, result: DeliveryResult): void => {
    open -= 1;
    settling.push(settle(duty.held, result, open === 0));
  };
  const park = (gated: GatedDuty, isShareTaken = false): void =>
    end(gated, inPlace(gates.parked(gated, isShareTaken), gated.duty));
  for (const gated of waiting) park(gated, true);
  const giveBackLater = (gated: GatedDuty): void => {
    const { place, held } = gated.duty;
    // In the ledger it is under way: its message would not bring it again.
    if (place !== undefined) end(gated, owedAgain(gated.duty));
    else {
      open -= 1;
      retryLater(held.open, GIVEN_BACK_RETRY_SECONDS);
    }
  };

  const places = createSlowPlaces(
    free.map(({ duty }) => targetKey(duty)),
    ports.receivers,
  );
  const taking =
    placed.length === 0
      ? Promise.resolve(noTurns(claimed))
      : takeTurns(placed, claimed, keptOf, settle, ports);
  const joining = taking.then(async ({ granted, heads }) => {
    open -= placed.length - granted.length;
    await gates.join(granted);
    places.join(heads.map(({ duty }) => targetKey(duty)));
    return heads;
  });

  /** Answers its result, if it has come to an end here and now. */
  async function deliverOne(
    gated: GatedDuty,
    letGo: LetGo,
    place: Place,
  ): Promise<DeliveryResult | null> {
    await settler.room(delivered);
    const { duty, outgoing } = gated;
    const { timeoutMs } = outgoing.target;
    const isTooLate = ports.clock.nowMs() + timeoutMs > deadlineMs;
    if (isTooLate || (control !== null && !ports.queueValves.mayGoOn(control.queue, ports))) {
      giveBackLater(gated);
      return null;
    }
    const key = targetKey(duty);
    if (!ports.receivers.hasRoom(key) || !gates.mayBegin(duty)) {
      park(gated);
      return null;
    }
    const made = beginAttempt(gated, gates, closed, ports);
    const isQuick = await endsWithin(made, ports.receivers.patienceMs(key), ports.clock);
    const isLeft = !isQuick && (duty.claimedBy === "row" || (await keptOf(duty.held)));
    const result = isLeft ? null : ((await made) ?? unmade(duty));
    open -= 1;
    if (isLeft) {
      place.isLate();
      invocation.lateCount += 1;
      const ended = ports.receivers.began(key);
      late.push({ duty, made });
      if (duty.claimedBy === "event") {
        settling.push(settle(duty.held, underWay(duty, timeoutMs), open === 0));
      }
      letGo();
      await made;
      invocation.lateCount -= 1;
      ended();
    } else if (result === null) tryAgainLater(duty.held.open);
    else {
      const coming = settle(duty.held, result, open === 0);
      delivered.add(coming);
      void coming.finally(() => delivered.delete(coming));
    }
    return result;
  }

  const isWritten = async ({ duty }: GatedDuty): Promise<boolean> => {
    await Promise.all(delivered);
    return !(await settler.finish([])).has(keyOf(duty));
  };
  const unbegun = await mapWithin(
    free,
    placesOf(control, invocation),
    ({ duty }) => gates.keyOf(duty),
    async (head, letGo) => {
      const place = places.begin(targetKey(head.duty));
      const send = (gated: GatedDuty, leave: LetGo) => deliverOne(gated, leave, place);
      try {
        if (head.duty.place === undefined) return void (await send(head, letGo));
        const rest = (await taking).behind(head);
        await sendInOrder(head, { rest, gates, isWritten, end, park, send, ports }, letGo);
      } finally {
        place.ended();
      }
    },
    {
      of: (key) => places.limited(gates.targetOf(key), gates.limitOf(key)),
      timer: (ms) => ports.clock.timer(ms),
      known: gates.known,
    },
    ({ duty }) => duty.tenant,
    placed.length === 0 ? null : joining,
  );
  const turns = await taking;
  for (const gated of unbegun) {
    for (const next of turns.behind(gated)) end(next, behind(next, gated.duty));
    const key = targetKey(gated.duty);
    // A healthy receiver is not to blame: with its messages, what is left comes again at once.
    const isSlow = ports.receivers.patienceMs(key) === 0;
    if (isSlow || gates.limitOf(gates.keyOf(gated.duty)) !== undefined) park(gated);
    else giveBackLater(gated);
  }
  await Promise.all([...settling, ...delivered]);

  const unwritten = await settler.finish(claimed.duplicates);
  for (const event of opened.events) {
    if ([...unwritten].some((key) => key.startsWith(`${event.record.id} `))) {
      tryAgainLater(event.open);
    }
  }
  const unkept = await unkeptOf(claimed, keptOf);
  const written = settled.filter(({ result }) => !unwritten.has(keyOf(result)));
  const writtenKeys = new Set(written.map(({ result }) => keyOf(result)));
  const kept = keptFrom(late, writtenKeys, turns.claimed);
  const isGivenBack = await giveBack(turns.claimed, kept, unkept, ports);
  for (const { open } of unkept) {
    if (isGivenBack) tryAgainLater(open);
    else retryLater(open, LEASE_SECONDS + 1);
  }
  ports.defer(gates.close());
  for (const each of late) {
    const isWritten = writtenKeys.has(keyOf(each.duty)) || each.duty.claimedBy === "row";
    ports.defer(settleLate(each, isWritten, claimed.token, ports));
  }
  ports.defer(tellBatches(written, tenants, ports));
  await sendAgain(written, ports);
  await passTurns(turns.keys, ports);
}

/** What crashed messages carry is nobody's queue. */
function placesOf(control: QueueControl | null, { lateCount }: Invocation): Places {
  const connections = control === null ? CONNECTIONS_MAX : connectionsOf(control);
  const total = Math.max(1, Math.min(connections, CONNECTIONS_MAX - lateCount));
  return { total, perKey: Math.min(total, CONNECTIONS_PER_TARGET_MAX) };
}

async function tenantsOf(
  opened: OpenedBatch,
  claimed: Claimed,
  ports: DeliverPorts,
): Promise<Map<string, Tenant | null>> {
  const ids = [...new Set(opened.events.map((event) => event.record.tenant))];
  const tenants = await Promise.all(
    ids.map(async (id): Promise<[string, Tenant | null]> => {
      const revision = claimed.revisions.get(id);
      return [id, revision === undefined ? null : await ports.directory.at(id, revision)];
    }),
  );
  return new Map(tenants);
}
