/**
 * The way of a step's request to its target: the target as it is now, and its gate, as deliveries pass it. Asked
 * before the intent is written down, so that what may not go is no attempt.
 */
import type { Answer } from "../core/deliver/outcome.ts";
import { isTrouble, outcomeKind } from "../core/gate/index.ts";
import { timeOrderedId } from "../core/ids.ts";
import {
  GATE_BACKLOG_MS,
  GATE_HORIZON_MS,
  GATE_TIMEOUT_MS,
  LEASE_MARGIN_MS,
  LEDGER_TIMEOUT_MS,
} from "../core/limits.ts";
import { SAGA_CLOSED_MS_MIN, SAGA_GATED_MS_MIN, SAGA_HELD_MS_MAX } from "../core/saga/limits.ts";
import type { Target } from "../core/tenant.ts";
import { within } from "../ports/clock.ts";
import type { GateTold } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import type { SagaPorts } from "./advance-saga.ts";
import { type HeldLease, holdLease } from "./gate-lease.ts";
import { targetKey } from "./receivers.ts";

export interface Passage {
  /** Null when there is none; throws when it could not be read. */
  target(): Target | null;
  /** Whether the turn that the gate gave has passed by now. */
  isPast(): boolean;
  /** Waits for the turn that the gate gave, and takes it; false when it has passed. */
  turn(): Promise<boolean>;
  /** What the receiver answered; null, also after an answer, when all is over. */
  ended(answer: Answer | null): void;
}

export type Permit =
  | { readonly kind: "open"; readonly passage: Passage }
  | { readonly kind: "held"; readonly reason: string; readonly inMs: number };

export interface Wish {
  readonly tenant: string;
  readonly target: string;
  /** Of one attempt; the target's own if null. */
  readonly timeoutMs: number | null;
  readonly isRetry: boolean;
  /** How long it has been held by now. */
  readonly heldMs: number;
}

/** Never rejects. A healthy target without limits costs no call. */
export async function permitOf(wish: Wish, ports: SagaPorts): Promise<Permit> {
  const late = () => new Error("the target was not read in time");
  const reading = ports.config.target(wish.tenant, wish.target);
  const read = await within(reading, LEDGER_TIMEOUT_MS, ports.clock, late).then(
    (target) => ({ target }),
    (error: unknown) => ({ error }),
  );
  if ("error" in read) {
    const fail = (): never => {
      throw read.error;
    };
    return { kind: "open", passage: { ...free(null, () => {}), target: fail } };
  }
  const { target } = read;
  if (target === null || target.saga !== null || target.other !== undefined)
    return open(free(target, () => {}));
  if (target.closed !== null) {
    const reason = `the target "${wish.target}" is ${target.closed}`;
    return { kind: "held", reason, inMs: pause(SAGA_CLOSED_MS_MIN, 0, wish, ports) };
  }
  return throughGate(wish, target, ports);
}

const open = (passage: Passage): Permit => ({ kind: "open", passage });

/** Nothing to wait for. */
const free = (found: Target | null, ended: Passage["ended"]): Passage => {
  return { target: () => found, isPast: () => false, turn: async () => true, ended };
};

/** Later and later, and not all that wait at the same moment. */
function pause(minMs: number, wantedMs: number, { heldMs }: Wish, { random }: SagaPorts): number {
  const ms = Math.max(wantedMs, Math.min(Math.max(heldMs / 4, minMs), SAGA_HELD_MS_MAX));
  return Math.ceil(ms * (1 + random.unit() / 4));
}

async function throughGate(wish: Wish, target: Target, ports: SagaPorts): Promise<Permit> {
  const { clock, log, receivers } = ports;
  const key = targetKey(wish);
  const unasked = free(target, (answer) => heard(answer, null));
  if (!target.gate.isSet && !receivers.isInTrouble(key, clock.nowMs())) return open(unasked);

  const leaseId = timeOrderedId("", clock.nowMs(), ports.random.bytes(10));
  const { isRetry } = wish;
  let lease: HeldLease;
  try {
    const told = await tell({
      ...{ report: null, parked: null },
      ask: {
        ...{ lease: leaseId, want: { fresh: isRetry ? 0 : 1, retries: isRetry ? 1 : 0 } },
        // Nothing of a step is parked: after a while it no longer stands behind all that is.
        ...{ priority: "normal", isReleased: wish.heldMs >= GATE_BACKLOG_MS },
        ttlMs: GATE_HORIZON_MS + (wish.timeoutMs ?? target.timeoutMs) + LEASE_MARGIN_MS,
      },
    });
    lease = holdLease(leaseId, told, clock);
  } catch (error) {
    log.warn("gate-unreachable", { gate: key, error: errorText(error) });
    // A limit that was set holds; without one the gate would only have helped.
    if (!target.gate.isSet) return open(unasked);
    lease = holdLease(leaseId, null, clock);
  }
  const { limit } = lease;
  if (limit.max === 0 || !lease.mayBegin(isRetry) || limit.waitMs() === null) {
    report(lease);
    const { reason, dueInMs } = lease.refusal();
    const why = `the target "${wish.target}": ${reason}`;
    return { kind: "held", reason: why, inMs: pause(SAGA_GATED_MS_MIN, dueInMs, wish, ports) };
  }
  let begun: ReturnType<HeldLease["begin"]> | null = null;
  let isOver = false;
  return open({
    target: () => target,
    isPast: () => limit.waitMs() === null,
    async turn() {
      for (let waitMs = limit.waitMs(); waitMs !== 0; waitMs = limit.waitMs()) {
        if (waitMs === null) return false;
        await clock.timer(waitMs).elapsed;
      }
      limit.take();
      begun = lease.begin(isRetry);
      return true;
    },
    ended(answer) {
      if (isOver) return;
      isOver = true;
      begun?.(answer);
      heard(answer, lease);
    },
  });

  function heard(answer: Answer | null, lease: HeldLease | null): void {
    const isSick = answer !== null && isTrouble(outcomeKind(answer));
    if (isSick) receivers.failed(key, clock.nowMs());
    if (lease !== null) report(lease);
    // Its gate was not asked, and must know from when on it may be.
    else if (isSick && answer.kind === "response" && (answer.retryAfterMs ?? 0) > 0) {
      const { retryAfterMs } = answer;
      ports.defer(told({ ask: null, parked: null, report: { ...NO_REPORT, retryAfterMs } }));
    }
  }

  function report(lease: HeldLease): void {
    const said = lease.report();
    if (said !== null) ports.defer(told({ ask: null, parked: null, report: said }));
  }

  async function told(what: Omit<GateTold, "config">): Promise<void> {
    try {
      await tell(what);
    } catch (error) {
      log.warn("gate-unreachable", { gate: key, error: errorText(error) });
    }
  }

  function tell(what: Omit<GateTold, "config">) {
    const late = () => new Error("the gate did not answer in time");
    const asking = ports.gates.tell(wish, { config: target.gate, ...what });
    return within(asking, GATE_TIMEOUT_MS, clock, late);
  }
}

/** Nothing of a lease, only what the receiver asked of everybody. */
const NO_REPORT = {
  ...{ lease: "", sent: { fresh: 0, retries: 0 }, isDone: true, allowedPerMinute: null },
  outcomes: { ok: 0, failed: 0, dropped: 0, timedOut: 0, rejected: 0, durationMs: null },
};
