/**
 * The way of a step's request to its target: the target as it is now, and its gate, as deliveries pass it. Asked
 * before the intent is written down, so that what may not go is no attempt.
 */
import type { Answer } from "../core/deliver/outcome.ts";
import { type GateReport, isTrouble, outcomeKind } from "../core/gate/index.ts";
import { GATE_BACKLOG_MS } from "../core/gate-limits.ts";
import { SAGA_CLOSED_MS_MIN, SAGA_GATED_MS_MIN, SAGA_HELD_MS_MAX } from "../core/saga/limits.ts";
import type { Target } from "../core/tenant.ts";
import { askGate, tellGate } from "./gate-call.ts";
import { type HeldLease, wishOf } from "./gate-lease.ts";
import { inTime } from "./in-time.ts";
import { targetKey } from "./receivers.ts";
import type { SagaPorts } from "./saga-ports.ts";

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
  const reading = ports.config.target(wish.tenant, wish.target);
  const read = await inTime(reading, ports, "the target was not read in time").then(
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
  const { clock, receivers } = ports;
  const key = targetKey(wish);
  const unasked = free(target, (answer) => heard(answer, null));
  if (!target.gate.isSet && !receivers.isInTrouble(key, clock.nowMs())) return open(unasked);

  const { isRetry } = wish;
  const lease = await askGate(
    wish,
    target.gate,
    {
      ...{ want: { fresh: isRetry ? 0 : 1, retries: isRetry ? 1 : 0 }, priority: "normal" },
      // Nothing of a step is parked: after a while it no longer stands behind all that is.
      isReleased: wish.heldMs >= GATE_BACKLOG_MS,
      timeoutMs: wish.timeoutMs ?? target.timeoutMs,
    },
    ports,
  );
  if (lease === null) return open(unasked);
  const { limit } = lease;
  if (limit.max === 0 || !lease.mayBegin(isRetry) || limit.waitMs() === null) {
    report(lease);
    const { reason, dueInMs } = lease.refusal(isRetry);
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
      told(wishOf(answer.retryAfterMs ?? 0));
    }
  }

  function report(lease: HeldLease): void {
    told(lease.report());
  }

  function told(report: GateReport | null): void {
    if (report === null) return;
    ports.defer(tellGate(wish, target.gate, { report, parked: null }, ports).then(() => {}));
  }
}
