/** Checks of the sweeper: what one pass sent again, the next leaves alone. */
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel } from "../../src/core/enqueue/pack.ts";
import { subscriptionOf } from "./names.ts";
import type { Violations } from "./violations.ts";

export interface SweepWatch {
  /** Packs are on their way into a queue; answers what to call once it has them. */
  offered(packs: readonly Uint8Array[]): () => void;
  putOff(keys: readonly string[]): void;
  /** A pass has ended and says that nothing failed. */
  ended(isComplete: boolean): void;
}

/** Watches one pass. */
export function createSweepWatch(violations: Violations): SweepWatch {
  const sent = new Set<string>();
  const kept = new Set<string>();
  return {
    offered(packs) {
      const keys: string[] = [];
      for (const bytes of packs) {
        const decoded = decodePack(bytes, platformText);
        for (const { content, again } of decoded.ok ? decoded.pack.items : []) {
          const event = isParcel(content) ? content.id : content.record.id;
          for (const { rule, target } of again ?? []) {
            keys.push(`${event} ${subscriptionOf(rule, target)}`);
          }
        }
      }
      return () => {
        for (const key of keys) sent.add(key);
      };
    },
    putOff(keys) {
      for (const key of keys) kept.add(key);
    },
    ended(isComplete) {
      const forgotten = isComplete ? [...sent].find((key) => !kept.has(key)) : undefined;
      if (forgotten === undefined) return;
      const event = forgotten.split(" ")[0] ?? "";
      violations.add(`a sweep sent ${event} again and will send it again in a minute`, event);
    },
  };
}
