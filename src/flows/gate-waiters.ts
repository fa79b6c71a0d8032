/** Who waits at a gate for a slot. Kept in memory alone: an object that ends takes the calls of its askers along. */
import type { Ask, GateAnswer } from "../core/gate/index.ts";
import { GATE_WAIT_MS } from "../core/gate-limits.ts";
import type { Clock } from "../ports/clock.ts";

export interface GateWaiters {
  readonly asks: readonly Ask[];
  /** Resolves with the answer that `answer` gives, or null when it has waited its time. */
  wait(ask: Ask): Promise<GateAnswer | null>;
  /** It waits no more, and hears nothing. */
  leave(ask: Ask): void;
  /** They wait no more; each hears it when `kept` has resolved, and fails with it. */
  answer(answers: ReadonlyMap<Ask, GateAnswer>, kept: Promise<unknown>): void;
}

export function createGateWaiters(clock: Clock): GateWaiters {
  const waiting = new Map<Ask, (answer: Promise<GateAnswer> | null) => void>();
  return {
    get asks() {
      return [...waiting.keys()];
    },
    async wait(ask) {
      const { promise, resolve } = Promise.withResolvers<GateAnswer | null>();
      waiting.set(ask, resolve);
      const timer = clock.timer(GATE_WAIT_MS);
      void timer.elapsed.then(() => {
        if (waiting.delete(ask)) resolve(null);
      });
      try {
        return await promise;
      } finally {
        timer.cancel();
      }
    },
    leave(ask) {
      waiting.get(ask)?.(null);
      waiting.delete(ask);
    },
    answer(answers, kept) {
      for (const [ask, answer] of answers) {
        waiting.get(ask)?.(kept.then(() => answer));
        waiting.delete(ask);
      }
    },
  };
}
