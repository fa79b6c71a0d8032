/** The rows of what goes in batches, behind the wire, and their book beside it. */
import type { Batches } from "../../src/ports/batches.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { Pulls } from "../../src/ports/pulls.ts";
import type { Invocation } from "./invocation.ts";
import { short } from "./ports.ts";
import { isHeld } from "./readers.ts";
import type { Stores } from "./stores.ts";
import { checkSaid } from "./watch-batches.ts";

export function wiredBatches(stores: Stores, invocation: Invocation): Batches {
  const { wire, batches: rows, batchWatch, attempts, violations } = stores;
  const call = <T>(method: string, effect: () => Promise<T>, detail?: () => string) =>
    wire.call(invocation.life, "ledger", method, effect, detail);
  return {
    look: (id, count) => call("lookForBatch", () => rows.look(id, count)),
    nextDueInMs: (id) => call("nextDueInMs", () => rows.nextDueInMs(id)),
    settle(id, results) {
      attempts.settling(invocation, results);
      checkSaid(invocation, results, attempts, violations);
      const detail = () => results.map(({ event, state }) => `${short(event)}=${state}`).join(" ");
      return call(
        "settleBatch",
        async () => {
          const written = await rows.settle(id, results);
          batchWatch.settled(results, written);
          return written;
        },
        detail,
      );
    },
  };
}

/** The leases of batches, which no reader has. */
export function wiredLeases(stores: Stores, invocation: Invocation): Pulls {
  const { wire, ledger, pulls, batchWatch } = stores;
  const call = <T>(method: string, effect: () => Promise<T>, detail?: () => string) =>
    wire.call(invocation.life, "ledger", method, effect, detail);
  return {
    ...pulls,
    bury: (keys, by, reason) => call("buryBatched", () => pulls.bury(keys, by, reason)),
    lease(ready, token, leaseMs) {
      const detail = () => ready.map(({ event }) => short(event)).join(" ");
      return call(
        "leaseBatch",
        async () => {
          const keys = await pulls.lease(ready, token, leaseMs);
          const own = ready.filter((each) => keys.has(keyOf(each)));
          batchWatch.leased(own, token, leaseMs);
          return keys;
        },
        detail,
      );
    },
    giveBack: (leases) =>
      call("giveBackBatch", async () => {
        const held = leases.filter((lease) => isHeld(lease, ledger));
        await pulls.giveBack(leases);
        batchWatch.gaveBack(held);
      }),
  };
}
