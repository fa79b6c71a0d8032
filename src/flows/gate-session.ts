/** A batch and the gates of its targets: each that has one is asked once, and told once what came of it. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { KeyLimit } from "../core/deliver/schedule.ts";
import {
  type Ask,
  type AskedWait,
  type GateReport,
  isTrouble,
  leftMs,
  longer,
  NO_WAIT,
  outcomeKind,
  totalOf,
} from "../core/gate/index.ts";
import { GATE_MORE_MS_MAX, GATE_TICK_MS } from "../core/gate-limits.ts";
import { SLOW_TARGET_PAUSE_MS } from "../core/limits.ts";
import type { Gate } from "../core/tenant.ts";
import type { GateTold } from "../ports/gates.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { type Outgoing, recorded } from "./deliver.ts";
import { type Duty, isRetry, kindOf, leaseKeyOf, targetOfLease } from "./duty.ts";
import { askGate, askMore, tellGate } from "./gate-call.ts";
import { type HeldLease, type Refused, waitOut, wishOf } from "./gate-lease.ts";
import type { DeliverPorts } from "./ports.ts";
import { targetKey } from "./receivers.ts";
import { gatePriority } from "./release-parked.ts";

export interface GatedDuty {
  readonly duty: Duty;
  readonly outgoing: Outgoing;
}

export interface GateSession {
  /** Asks for further deliveries, none of which shares a lease with those before. Never rejects. */
  join(duties: readonly GatedDuty[]): Promise<void>;
  /** Deliveries of one key share a lease; those of a target that has none have no limit. */
  keyOf(duty: Duty): string;
  /** What the deliveries of a key go to. */
  targetOf(key: string): string;
  limitOf(key: string): KeyLimit | undefined;
  /** Resolves when the gates that are asked now have answered, or had their time; null: none is. */
  pending(): Promise<unknown> | null;
  mayBegin(duty: Duty): boolean;
  /** Waits until what has taken a turn may begin at it; false where it may not any more. */
  hasTurn(duty: Duty): Promise<boolean>;
  /** What has taken a turn does not begin. */
  leave(duty: Duty): void;
  /** What it returns takes the answer, or null when no attempt could be made. */
  begin(gated: GatedDuty): (answer: Answer | null) => void;
  /** For the ledger: it waits until there is room for it. */
  parked(gated: GatedDuty, isShareTaken?: boolean): DeliveryResult;
  /** Tells the gates what was parked, and of their leases when all attempts have ended. Never rejects. */
  close(): Promise<void>;
}

/** What is told of one key when the batch is over. */
interface Open {
  readonly duty: Duty;
  readonly gate: Gate;
  /** Null for a target whose gate was not asked. */
  readonly lease: HeldLease | null;
  /** What has neither begun nor was parked. */
  readonly left: { fresh: number; retries: number };
  parked: number;
  /** … because its tenant has had its share. */
  isShareTaken: boolean;
  /** What its gate has let go and could not be sent is not let go again before. */
  pauseMs: number;
  /** By a receiver whose gate was not asked. */
  askedToWait: AskedWait;
}

const SHARE_TAKEN = "its tenant's share of the queue is taken";

function wantOf(duties: readonly GatedDuty[]): Ask["want"] {
  const retries = duties.filter(({ duty }) => isRetry(duty)).length;
  return { fresh: duties.length - retries, retries };
}

/** Of a target whose gate has not answered yet. */
const UNKNOWN: KeyLimit = { max: 0, waitMs: () => null, take() {} };

/** Asks the gates of all targets that have limits of their own or are in trouble; others wait for none of them. */
export function openGates(duties: readonly GatedDuty[], ports: DeliverPorts): GateSession {
  const { clock, receivers } = ports;
  const opened = new Map<string, Open>();
  const asking = new Set<string>();

  const moreUntilMs = clock.nowMs() + GATE_MORE_MS_MAX;
  const nothing = () => ({
    ...{ left: { fresh: 0, retries: 0 }, parked: 0, isShareTaken: false },
    ...{ pauseMs: 0, askedToWait: NO_WAIT },
  });

  function openOf(duty: Duty, gate: Gate): Open {
    const known = opened.get(leaseKeyOf(duty)) ?? { duty, gate, lease: null, ...nothing() };
    opened.set(leaseKeyOf(duty), known);
    return known;
  }

  let pending: Promise<unknown> | null = null;
  function whilePending(work: Promise<void>): void {
    const all = Promise.all([pending, work]).then(() => {
      if (pending === all) pending = null;
    });
    pending = all;
  }

  /** What comes from a gate is counted by it, or it would let nothing more go for ten seconds. */
  const isGated = ({ duty, outgoing: { target } }: GatedDuty): boolean =>
    target.gate.isSet || duty.isReleased || receivers.isInTrouble(targetKey(duty), clock.nowMs());

  async function ask(key: string, own: readonly GatedDuty[], first: GatedDuty): Promise<void> {
    const { duty, outgoing } = first;
    const { gate, timeoutMs } = outgoing.target;
    const { isReleased } = duty;
    const priority = gatePriority(duty);
    const left = wantOf(own);
    // What was let go is expected: its slots are about to be free.
    const wish = { want: { ...left }, priority, isReleased, mayWait: isReleased, timeoutMs };
    asking.add(key);
    const lease = await askGate(duty, gate, wish, ports);
    asking.delete(key);
    if (lease !== null) opened.set(key, { ...openOf(duty, gate), lease, left });
  }

  /** What was let go is not parked anew while its slots may be used for it. */
  function askMoreOf({ lease, left }: Open, { duty, outgoing }: GatedDuty): void {
    const mayAsk = duty.isReleased && totalOf(left) > 0 && clock.nowMs() < moreUntilMs;
    if (lease?.isRunningOut !== true || !mayAsk) return;
    const { gate, timeoutMs } = outgoing.target;
    const wish = { want: { ...left }, priority: gatePriority(duty), isReleased: true, timeoutMs };
    const asked = lease.askMore((id, report) =>
      askMore(duty, gate, wish, { lease: id, report }, ports),
    );
    whilePending(asked.then(() => tellNews(lease, duty, gate)));
  }

  /** Its slots are free before the results are written, and whatever else the batch is at. */
  function tellNews(lease: HeldLease, duty: Duty, gate: Gate): void {
    if (!lease.isNews) return;
    ports.defer(tell({ duty, gate, lease }, lease.report()).then(() => {}));
  }

  async function tell(
    { duty, gate, lease }: Pick<Open, "duty" | "gate" | "lease">,
    report: GateReport | null,
    parked: GateTold["parked"] = null,
  ): Promise<number | null> {
    const inAll = await tellGate(duty, gate, { report, parked }, ports);
    // Without a quota nothing comes back that counts.
    if (inAll === null && report !== null && gate.perDay !== null) lease?.isUnheard();
    return inAll;
  }

  async function closeOne(open: Open): Promise<void> {
    const { duty, lease, parked: count, pauseMs, isShareTaken } = open;
    const priority = gatePriority(duty);
    const parked = count === 0 ? null : { priority, count, pauseMs, isShareTaken };
    const inAll = await tell(open, lease?.report() ?? askedOf(open), parked);
    if (inAll !== null) ports.fairShares.parked(targetKey(duty), inAll, clock.nowMs());
    if (lease === null) return;
    await lease.ended();
    await tell(open, lease.report()); // nothing, where all was told
  }

  function askedOf({ askedToWait }: Open): GateReport | null {
    const ms = leftMs(askedToWait, clock.nowMs());
    return ms === 0 ? null : wishOf(ms);
  }

  function refusalOf(duty: Duty, lease: HeldLease | null): Refused {
    const key = targetKey(duty);
    const isSlow = receivers.patienceMs(key) === 0;
    if (lease !== null && receivers.hasRoom(key, clock.nowMs()))
      return lease.refusal(isRetry(duty));
    const pauseMs = isSlow ? SLOW_TARGET_PAUSE_MS : GATE_TICK_MS;
    if (isSlow) receivers.failed(key, clock.nowMs());
    const reason = isSlow ? "its target answers slowly" : "many of its attempts are under way";
    return { reason, dueInMs: pauseMs, pauseMs };
  }

  function join(some: readonly GatedDuty[]): Promise<void> {
    const gated = Map.groupBy(some.filter(isGated), ({ duty }) => leaseKeyOf(duty));
    const asked = [...gated].map(([key, own]) => own[0] && ask(key, own, own[0]));
    const joined = Promise.all(asked).then(() => {});
    if (asked.length > 0) whilePending(joined);
    return joined;
  }
  void join(duties);

  return {
    join,
    keyOf: leaseKeyOf,
    targetOf: targetOfLease,
    pending: () => pending,
    limitOf: (key) => (asking.has(key) ? UNKNOWN : opened.get(key)?.lease?.limit),
    mayBegin: (duty) => opened.get(leaseKeyOf(duty))?.lease?.mayBegin(isRetry(duty)) ?? true,

    leave(duty) {
      const { lease = null, gate } = opened.get(leaseKeyOf(duty)) ?? {};
      if (lease === null || gate === undefined) return;
      lease.leave();
      tellNews(lease, duty, gate);
    },
    async hasTurn(duty) {
      const lease = opened.get(leaseKeyOf(duty))?.lease ?? null;
      return lease === null || waitOut(lease.beginsInMs, clock);
    },

    begin({ duty, outgoing }) {
      const open = opened.get(leaseKeyOf(duty));
      const lease = open?.lease ?? null;
      const ended = lease?.begin(isRetry(duty));
      if (open !== undefined) {
        open.left[kindOf(duty)] = Math.max(0, open.left[kindOf(duty)] - 1);
        askMoreOf(open, { duty, outgoing });
      }
      return (answer) => {
        ended?.(answer);
        if (lease !== null) tellNews(lease, duty, outgoing.target.gate);
        if (answer === null || !isTrouble(outcomeKind(answer))) return;
        receivers.failed(targetKey(duty), clock.nowMs());
        if (ended !== undefined || answer.kind !== "response") return;
        // Its gate was not asked, and must know from when on it may be.
        const known = openOf(duty, outgoing.target.gate);
        known.askedToWait = longer(known.askedToWait, answer.retryAfterMs ?? 0, clock.nowMs());
      };
    },

    parked({ duty, outgoing }, isShareTaken = false) {
      const known = openOf(duty, outgoing.target.gate);
      known.parked += 1;
      known.left[kindOf(duty)] = Math.max(0, known.left[kindOf(duty)] - 1);
      if (isShareTaken) {
        known.isShareTaken = true;
        return { ...recorded(duty, "parked", SHARE_TAKEN), dueInMs: GATE_TICK_MS };
      }
      const { reason, dueInMs, pauseMs } = refusalOf(duty, known.lease);
      if (duty.isReleased || !receivers.hasRoom(targetKey(duty), clock.nowMs())) {
        known.pauseMs = Math.max(known.pauseMs, Math.min(pauseMs, SLOW_TARGET_PAUSE_MS));
      }
      return { ...recorded(duty, "parked", reason), dueInMs };
    },

    async close() {
      await Promise.all([...opened.values()].map(closeOne));
    },
  };
}
