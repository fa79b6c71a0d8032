/** The places of a batch that slow receivers may hold while others wait: nobody stands behind one that hangs. */
import type { KeyLimit } from "../core/deliver/schedule.ts";
import { SLOW_PLACES_MAX } from "../core/limits.ts";
import type { Receivers } from "./receivers.ts";

/** Of one delivery. */
export interface Place {
  /** It answers slowly. */
  isLate(): void;
  ended(): void;
}

export interface SlowPlaces {
  /** Further deliveries, by their targets. */
  join(targets: readonly string[]): void;
  /** `own`, and for a target that is known to be slow no more places than such may hold while others wait. */
  limited(target: string, own: KeyLimit | undefined): KeyLimit | undefined;
  begin(target: string): Place;
}

/** `targets` names the target of each delivery of the batch. */
export function createSlowPlaces(
  targets: readonly string[],
  receivers: Pick<Receivers, "patienceMs">,
): SlowPlaces {
  const slow = new Set<string>();
  let quickLeft = 0;
  function join(some: readonly string[]): void {
    for (const target of some) if (receivers.patienceMs(target) === 0) slow.add(target);
    quickLeft += some.filter((target) => !slow.has(target)).length;
  }
  join(targets);
  let held = 0;
  const isFull = () => quickLeft > 0 && held >= SLOW_PLACES_MAX;
  return {
    join,
    limited(target, own) {
      if (!slow.has(target)) return own;
      return {
        max: own?.max ?? Number.POSITIVE_INFINITY,
        waitMs: () => (isFull() ? null : own === undefined ? 0 : own.waitMs()),
        take: () => own?.take(),
      };
    },
    begin(target) {
      let isHeld = slow.has(target);
      if (isHeld) held += 1;
      else quickLeft -= 1;
      return {
        isLate() {
          if (!isHeld) held += 1;
          isHeld = true;
        },
        ended() {
          if (isHeld) held -= 1;
          isHeld = false;
        },
      };
    },
  };
}
