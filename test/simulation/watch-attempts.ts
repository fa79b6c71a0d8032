/**
 * Checks of every request that a target gets: by whom, when, under which name, and whether it had to
 * be sent at all. A repeat needs an outcome that nobody could know.
 */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import { type DeliveryKey, keyOf } from "../../src/ports/claim.ts";
import { type Invocation, wasDisturbed } from "./invocation.ts";
import { subscriptionOf, webhookIdOf } from "./names.ts";
import type { Reception } from "./receivers.ts";
import type { SimulatedTarget } from "./tenants.ts";
import type { Violations } from "./violations.ts";
import type { ClaimWatch } from "./watch-claims.ts";
import type { ClosureWatch } from "./watch-closures.ts";
import type { FanOutWatch } from "./watch-fan-outs.ts";
import type { QueueWatch } from "./watch-queues.ts";

export interface WatchedAttempt {
  readonly event: string;
  readonly key: string;
  readonly number: number;
  readonly invocation: Invocation;
  readonly sentAtMs: number;
  /** Whether the delivery was its sender's: by a clock that went back none sees that its lease is over. */
  readonly isHeld: boolean;
  reception: Reception | null;
  answeredAtMs: number;
  /** What its sender got to hear. */
  heard: Answer | null;
  isSettling: boolean;
  /** It failed before it reached anybody: that is no attempt. */
  isVoid: boolean;
}

/** What a delivery's attempt says of itself, whichever way it goes. */
export interface Sent {
  readonly event: string;
  readonly rule: string;
  readonly deliveryId: string;
  readonly number: number;
  /** Of the target. */
  readonly address: string;
  /** Whether it carries what the event's sender sent. */
  isWhole(body: Uint8Array | undefined): boolean;
}

export interface AttemptWatch {
  sending(invocation: Invocation, sent: Sent): WatchedAttempt;
  settling(invocation: Invocation, results: readonly DeliveryKey[]): void;
  /** All attempts of a delivery, in the order in which they were sent. */
  of(key: string): readonly WatchedAttempt[];
  readonly repeats: number;
  /** Attempts that a receiver has done the work of, and nobody heard so. */
  readonly unheard: number;
}

export interface KnownTarget {
  readonly tenant: string;
  readonly target: SimulatedTarget;
}

export function createAttemptWatch(
  nowMs: () => number,
  targets: ReadonlyMap<string, KnownTarget>,
  /** The bytes that the sender of an event sent. */
  bodyOf: (event: string) => Uint8Array | undefined,
  claims: ClaimWatch,
  queues: QueueWatch,
  fanOuts: FanOutWatch,
  closures: Pick<ClosureWatch, "sending">,
  violations: Violations,
): AttemptWatch {
  const attempts = new Map<string, WatchedAttempt[]>();
  let repeats = 0;

  /** Whether it was impossible to know what became of an attempt. */
  const isUnknown = ({ invocation, sentAtMs, heard, isSettling }: WatchedAttempt): boolean =>
    heard === null || heard.kind !== "response" || isSettling || wasDisturbed(invocation, sentAtMs);

  function checkRepeat(attempt: WatchedAttempt, before: WatchedAttempt): void {
    const { event, key } = attempt;
    if (claims.settlementOf(key)?.state === "delivered") {
      violations.add(`${event} is sent again although its delivery was settled`, event);
    }
    const { invocation, sentAtMs, heard, isHeld } = before;
    if (heard === null && isHeld && !wasDisturbed(invocation, sentAtMs)) {
      violations.add(`${event} is sent again while an attempt of it is under way`, event);
    }
    if (before.reception?.isProcessed !== true) return;
    repeats += 1;
    if (isUnknown(before)) return;
    violations.add(`${event} is delivered again although the first outcome was known`, event);
  }

  /** An attempt that was written down as failed is followed by its pause, and by the next number. */
  function checkPause(attempt: WatchedAttempt, before: WatchedAttempt, target: SimulatedTarget) {
    const { event, key, number } = attempt;
    const settled = claims.settlementOf(key);
    if (settled === undefined || settled.state !== "retrying") return;
    if (settled.attempts !== before.number) return;
    // A batch that was leased and died before it was sent counts as well: that is another's to check.
    if (target.batch === null && number !== before.number + 1) {
      violations.add(`${event}: attempt ${number} is made after ${before.number}`, event);
    }
    const { heard } = before;
    const asked = heard?.kind === "response" ? (heard.retryAfterMs ?? 0) : 0;
    const pauseMs = Math.max(asked, (target.delaysSeconds[before.number - 1] ?? 0) * 1_000);
    if (before.answeredAtMs > 0 && attempt.sentAtMs < before.answeredAtMs + pauseMs) {
      violations.add(`${event} is tried again before its pause of ${pauseMs} ms is over`, event);
    }
  }

  return {
    get repeats() {
      return repeats;
    },
    get unheard() {
      const all = [...attempts.values()].flat();
      return all.filter(({ reception, heard }) => {
        return reception?.isProcessed === true && heard?.kind !== "response";
      }).length;
    },

    sending(invocation, { event, rule, deliveryId, number, address, isWhole }) {
      const known = targets.get(address);
      const target = known?.target.id ?? "";
      const key = `${event} ${subscriptionOf(rule, target)}`;
      const { token } = invocation;
      const isHeld = token !== null && claims.holds(token, event, key);
      const attempt: WatchedAttempt = {
        ...{ event, key, invocation, sentAtMs: nowMs(), number, isHeld },
        ...{ reception: null, answeredAtMs: 0, heard: null, isSettling: false, isVoid: false },
      };
      if (known === undefined) {
        violations.add(`a request goes to ${address}, which is nobody's`, event);
      }
      if (deliveryId !== webhookIdOf(event, rule, target)) {
        violations.add(`an attempt of ${event} carries another webhook-id`, event);
      }
      if (!isWhole(bodyOf(event))) {
        violations.add(`the body of ${event} is not what its sender sent`, event);
      }
      if (!isHeld && !wasDisturbed(invocation, invocation.startedAtMs)) {
        violations.add(`${event} is worked on without a live lease`, event);
      }
      const earlier = attempts.get(key) ?? [];
      attempts.set(key, earlier);
      const isSure = !wasDisturbed(invocation, invocation.startedAtMs);
      for (const before of isSure ? earlier : []) checkRepeat(attempt, before);
      // One that did not know how late it was settles nothing, and nobody counts from it.
      const last = earlier.findLast(({ invocation: other }) => {
        return !wasDisturbed(other, other.startedAtMs);
      });
      if (isSure && last !== undefined && known !== undefined) {
        checkPause(attempt, last, known.target);
      }
      queues.sending(attempt, address);
      closures.sending(attempt, address);
      if (isSure) fanOuts.sending(attempt);
      earlier.push(attempt);
      return attempt;
    },

    settling(invocation, results) {
      for (const result of results) {
        for (const attempt of attempts.get(keyOf(result)) ?? []) {
          if (attempt.invocation === invocation) attempt.isSettling = true;
        }
      }
    },

    of: (key) => attempts.get(key) ?? [],
  };
}
