/** All chance of one run, from its seed. */
import type { Random } from "../../src/ports/clock.ts";
import { createSeededRandom } from "../support/memory-system.ts";

export interface Chance extends Random {
  /** True in a share `p` of the cases. */
  happens(p: number): boolean;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** One of the items, of which there is at least one. */
  pick<Item>(items: readonly Item[]): Item;
  /** A new order of the items. */
  shuffled<Item>(items: readonly Item[]): Item[];
  /** Another chance of the same seed: what it decides moves nothing that this one does. */
  readonly aside: Chance;
}

const ASIDE = 0x27d4eb2f;

export function createChance(seed: number): Chance {
  const random = createSeededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
  const between = (low: number, high: number): number =>
    low + Math.floor(random.unit() * (high - low + 1));
  let aside: Chance | null = null;
  return {
    ...random,
    get aside() {
      aside ??= createChance(seed ^ ASIDE);
      return aside;
    },
    happens: (p) => p > 0 && random.unit() < p,
    between,
    pick(items) {
      const index = between(0, items.length - 1);
      if (index >= items.length) throw new Error("nothing to pick from");
      return items[index] as (typeof items)[number];
    },
    shuffled(items) {
      const order = [...items];
      for (let last = order.length - 1; last > 0; last -= 1) {
        const other = between(0, last);
        const [a, b] = [order[last], order[other]];
        if (a !== undefined && b !== undefined) [order[last], order[other]] = [b, a];
      }
      return order;
    },
  };
}
