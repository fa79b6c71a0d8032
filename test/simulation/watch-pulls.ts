/**
 * Checks of what readers pull, by a book of their own: one reader at a time, no more leases than may be, and what is
 * acknowledged is over.
 */
import { type DeliveryKey, keyOf } from "../../src/ports/claim.ts";
import type { HeldLease } from "../../src/ports/pulls.ts";
import type { MemoryLedger } from "../support/memory-ledger.ts";
import type { MemoryTenants } from "../support/memory-tenants.ts";
import { PULL } from "./tenants.ts";
import type { Violations } from "./violations.ts";

interface Page {
  holder: string | null;
  untilMs: number;
  /** Given back by its reader until then. */
  restsUntilMs: number;
  isDone: boolean;
  leases: number;
  /** Tokens under which it was ever leased. */
  readonly tokens: Set<string>;
}

export interface PullWatch {
  leased(keys: ReadonlySet<string>, token: string, leaseMs: number): void;
  gaveBack(leases: readonly HeldLease[]): void;
  acknowledged(keys: ReadonlySet<string>, leases: readonly HeldLease[]): void;
  refused(keys: ReadonlySet<string>, leases: readonly HeldLease[], delayMs: number): void;
  extended(keys: ReadonlySet<string>, leases: readonly HeldLease[], leaseMs: number): void;
  /** A reader has got it. */
  given(key: DeliveryKey, token: string): void;
  /** Something was given up: nothing that is leased. */
  buried(): void;
  of(key: string): Readonly<Page> | undefined;
}

export function createPullWatch(
  nowMs: () => number,
  ledger: MemoryLedger,
  tenants: MemoryTenants,
  violations: Violations,
): PullWatch {
  const pages = new Map<string, Page>();
  const eventOf = (key: string): string => key.split(" ")[0] ?? "";
  const fail = (key: string, what: string): void => {
    violations.add(`${eventOf(key)} ${what}`, eventOf(key));
  };

  function pageOf(key: string): Page {
    const known = pages.get(key);
    if (known !== undefined) return known;
    const page = {
      ...{ holder: null, untilMs: 0, restsUntilMs: 0, isDone: false, leases: 0 },
      tokens: new Set<string>(),
    };
    pages.set(key, page);
    return page;
  }

  /** The pages of those leases that were answered, each of which must be the one that counts. */
  function held(keys: ReadonlySet<string>, leases: readonly HeldLease[], what: string): Page[] {
    return leases
      .filter((lease) => keys.has(keyOf(lease)))
      .map((lease) => {
        const page = pageOf(keyOf(lease));
        if (page.isDone) fail(keyOf(lease), `is ${what} although it was acknowledged`);
        if (page.holder !== lease.token) fail(keyOf(lease), `is ${what} under another's lease`);
        return page;
      });
  }

  return {
    leased(keys, token, leaseMs) {
      for (const key of keys) {
        const page = pageOf(key);
        if (page.isDone) fail(key, "is leased although it was acknowledged");
        if (page.holder !== null && page.holder !== token && page.untilMs > nowMs())
          fail(key, "is leased while another reader has it");
        if (page.restsUntilMs > nowMs()) fail(key, "is leased before its reader wants it again");
        page.leases += 1;
        if (page.leases > PULL.attemptsMax) fail(key, `is leased ${page.leases} times`);
        page.holder = token;
        page.untilMs = nowMs() + leaseMs;
        page.tokens.add(token);
      }
    },

    gaveBack(leases) {
      for (const lease of leases) {
        const page = pages.get(keyOf(lease));
        if (page === undefined || page.holder !== lease.token || page.isDone) continue;
        page.holder = null;
        page.leases -= 1;
      }
    },

    acknowledged(keys, leases) {
      for (const page of held(keys, leases, "acknowledged")) page.isDone = true;
    },

    refused(keys, leases, delayMs) {
      for (const page of held(keys, leases, "refused")) {
        page.holder = null;
        page.restsUntilMs = nowMs() + delayMs;
      }
    },

    extended(keys, leases, leaseMs) {
      for (const page of held(keys, leases, "extended")) page.untilMs = nowMs() + leaseMs;
    },

    given(delivery, token) {
      const key = keyOf(delivery);
      if (!pageOf(key).tokens.has(token)) fail(key, "is given to a reader who has no lease of it");
    },

    buried() {
      for (const [key, { holder, untilMs, isDone }] of pages) {
        const row = ledger.deliveries.get(key);
        if (holder === null || isDone || untilMs <= nowMs() || row === undefined) continue;
        if (row.state === "dead" && tenants.isOpen(row.tenant, row.target))
          fail(key, "is given up while a reader has it");
      }
    },

    of: (key) => pages.get(key),
  };
}
