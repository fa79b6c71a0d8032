/** The attempts of a portion: fairly, within places, gates and turns. What finds no room waits in the ledger. */
import { type LetGo, mapWithin, type Places } from "../core/deliver/schedule.ts";
import { CONNECTIONS_MAX, CONNECTIONS_PER_TARGET_MAX } from "../core/limits.ts";
import { connectionsOf } from "../core/queue-control.ts";
import { keyOf } from "../ports/claim.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { beginAttempt } from "./begin-attempt.ts";
import type { Claimed } from "./claim.ts";
import type { Invocation, QueueRole } from "./deliver-batch.ts";
import type { Followed } from "./follow-changes.ts";
import { type GatedDuty, type GateSession, openGates } from "./gate-session.ts";
import type { KeptOf } from "./keep-segments.ts";
import { endsWithin, type LateAttempt, underWay } from "./late-attempts.ts";
import {
  GIVEN_BACK_RETRY_SECONDS,
  type HeldEvent,
  retryLater,
  tryAgainLater,
} from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";
import { sendInOrder } from "./send-in-order.ts";
import type { Settler } from "./settle.ts";
import { createSlowPlaces, type Place } from "./slow-places.ts";
import {
  behind,
  inPlace,
  isFree,
  noTurns,
  owedAgain,
  type TakenTurns,
  takeTurns,
  unmade,
  withPlaces,
} from "./take-turns.ts";

/** What the attempts need of their portion. */
export interface AtWork {
  readonly role: QueueRole;
  readonly invocation: Invocation;
  /** Its lease is near its end then. */
  readonly deadlineMs: number;
  /** How long even the newest of its messages waited; null: all came back. */
  readonly waited: number | null;
  readonly claimed: Claimed;
  /** What has changed since. */
  readonly changes: Pick<Followed, "decide">;
  readonly keptOf: KeptOf;
  readonly settler: Settler;
  /** Hands a result to the settler as soon as it may; `last` says that nothing further is under way. */
  settle(held: HeldEvent, result: DeliveryResult, last: boolean): Promise<void>;
}

export interface Attempts {
  /** Under way still, and waited for by nobody. */
  readonly late: readonly LateAttempt[];
  readonly turns: TakenTurns;
  readonly gates: GateSession;
}

/** Resolves when each of `ready` has been attempted, is under way alone, waits or goes back. Never rejects. */
export async function attemptAll(
  ready: readonly GatedDuty[],
  { role, invocation, deadlineMs, waited, claimed, changes, keptOf, settler, settle }: AtWork,
  ports: DeliverPorts,
): Promise<Attempts> {
  /** Not awaited one by one: no delivery waits until the archive has another's bytes. */
  const settling: Promise<void>[] = [];
  const delivered = new Set<Promise<void>>();
  const late: LateAttempt[] = [];
  const closed = new Set<string>();
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

  /** What had its turn does not begin: another may. */
  function unbegun(gated: GatedDuty, how: (gated: GatedDuty) => void): null {
    gates.leave(gated.duty);
    how(gated);
    return null;
  }

  /** Answers its result, if it has come to an end here and now. */
  async function deliverOne(
    gated: GatedDuty,
    letGo: LetGo,
    place: Place,
  ): Promise<DeliveryResult | null> {
    await settler.room(delivered);
    const { duty } = gated;
    // What has a gate goes at the gate's pace.
    const isPaced = gates.limitOf(gates.keyOf(duty)) !== undefined;
    const turn = isPaced ? null : ports.givingWay.turn(role, ports.clock);
    if (turn !== null) await turn;
    // Its turn came before there was room for its result.
    if (!(await gates.hasTurn(duty))) return unbegun(gated, park);
    const decided = changes.decide(gated);
    if (decided.kind === "result") {
      gates.leave(duty);
      end(gated, inPlace(decided.result, duty));
      return null;
    }
    const { outgoing } = decided;
    const { timeoutMs } = outgoing.target;
    const isTooLate = ports.clock.nowMs() + timeoutMs > deadlineMs;
    if (isTooLate || (role !== "dead" && !ports.queueValves.mayGoOn(role)))
      return unbegun(gated, giveBackLater);
    const key = targetKey(duty);
    if (!ports.receivers.hasRoom(key, ports.clock.nowMs()) || !gates.mayBegin(duty))
      return unbegun(gated, park);
    const made = beginAttempt({ duty, outgoing }, gates, closed, ports);
    const isQuick = await endsWithin(made, ports.receivers.patienceMs(key), ports.clock);
    const isLeft = !isQuick && (duty.claimedBy === "row" || (await keptOf(duty.held)));
    const result = isLeft ? null : ((await made) ?? unmade(duty));
    open -= 1;
    if (isLeft) {
      place.isLate();
      invocation.lateCount += 1;
      const ended = ports.receivers.began(key, ports.clock.nowMs());
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
    return !(await settler.finish([])).unwritten.has(keyOf(duty));
  };
  const left = await mapWithin(
    free,
    placesOf(role, invocation, ports),
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
      pending: gates.pending,
    },
    ({ duty }) => duty.tenant,
    placed.length === 0 ? null : joining,
  );
  const turns = await taking;
  for (const gated of left) {
    for (const next of turns.behind(gated)) end(next, behind(next, gated.duty));
    const key = targetKey(gated.duty);
    // A healthy receiver is not to blame: with its messages, what is left comes again at once.
    const isSlow = ports.receivers.patienceMs(key) === 0;
    if (isSlow || gates.limitOf(gates.keyOf(gated.duty)) !== undefined) park(gated);
    else giveBackLater(gated);
  }
  await Promise.all([...settling, ...delivered]);
  return { late, turns, gates };
}

/** As many as its operators say now. What crashed messages carry is nobody's queue. */
function placesOf(
  role: QueueRole,
  { lateCount }: Invocation,
  { queueValves }: Pick<DeliverPorts, "queueValves">,
): Places {
  const total = (): number => {
    const connections = role === "dead" ? CONNECTIONS_MAX : connectionsOf(queueValves.of(role));
    return Math.max(1, Math.min(connections, CONNECTIONS_MAX - lateCount));
  };
  return {
    get total() {
      return total();
    },
    get perKey() {
      return Math.min(total(), CONNECTIONS_PER_TARGET_MAX);
    },
  };
}
