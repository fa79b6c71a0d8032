/**
 * Checks of the ledger's answers, by a book of leases of their own: nobody gets what another holds
 * under a live lease, and nobody settles what another has claimed since.
 */
import {
  type ClaimAnswer,
  type ClaimRequest,
  type DeliveryKey,
  firstKey,
  keyOf,
} from "../../src/ports/claim.ts";
import type { DeliveryResult } from "../../src/ports/ledger.ts";
import type { Violations } from "./violations.ts";

interface Lease {
  readonly token: string;
  readonly untilMs: number;
}

export type SettledResult = DeliveryKey &
  Pick<DeliveryResult, "state" | "attempts" | "claimedBy" | "dueInMs">;

export interface Settlement {
  readonly state: DeliveryResult["state"];
  readonly attempts: number;
}

export interface ClaimWatch {
  claimed(request: ClaimRequest, answer: ClaimAnswer): void;
  settled(token: string, results: readonly SettledResult[], refused: ReadonlySet<string>): void;
  /** Rows alone, as what goes with a batch is leased. */
  leased(token: string, rows: readonly DeliveryKey[], leaseMs: number): void;
  /** The token's own leases end before their time. */
  gaveBack(token: string, unfinished: readonly DeliveryKey[]): void;
  /** All leases are ended but an isolate's own: whoever held one is gone. */
  recovered(isolate: string): void;
  /** Whether `token` may work on the delivery now. */
  holds(token: string, event: string, key: string): boolean;
  /** When the token has claimed; undefined for none that ever did. */
  claimedAtMs(token: string): number | undefined;
  /** Whether it is the event that the token has claimed, not one of its deliveries. */
  isByEvent(token: string, event: string): boolean;
  /** What was last settled of a delivery. */
  settlementOf(key: string): Settlement | undefined;
}

export function createClaimWatch(nowMs: () => number, violations: Violations): ClaimWatch {
  const events = new Map<string, Lease>();
  const rows = new Map<string, Lease>();
  const settlements = new Map<string, Settlement>();
  const claimedAtMs = new Map<string, number>();

  function take(book: Map<string, Lease>, name: string, event: string, lease: Lease): void {
    const held = book.get(name);
    if (held !== undefined && held.token !== lease.token && held.untilMs > nowMs()) {
      violations.add(`${event} was claimed while another held it under a live lease`, event);
    }
    book.set(name, lease);
  }

  return {
    claimed({ token, leaseSeconds, firsts, agains }, answer) {
      const lease = { token, untilMs: nowMs() + leaseSeconds * 1_000 };
      claimedAtMs.set(token, nowMs());
      for (const first of firsts) {
        if (answer.firsts.get(firstKey(first))?.kind === "claimed") {
          take(events, first.id, first.id, lease);
        }
      }
      for (const again of agains) {
        const key = keyOf(again);
        if (answer.agains.has(key)) take(rows, key, again.event, lease);
      }
    },

    leased(token, own, leaseMs) {
      claimedAtMs.set(token, nowMs());
      for (const key of own) {
        take(rows, keyOf(key), key.event, { token, untilMs: nowMs() + leaseMs });
      }
    },

    settled(token, results, refused) {
      for (const result of results) {
        const key = keyOf(result);
        if (refused.has(key)) continue;
        const { event, state, attempts } = result;
        const isHeld =
          result.claimedBy === "event"
            ? events.get(event)?.token === token
            : rows.get(key)?.token === token;
        if (!isHeld) violations.add(`a stale claim of ${event} could still settle it`, event);
        settlements.set(key, { state, attempts });
        // Its batch goes on without it: from now on its own row is its lease.
        if (state === "delivering") {
          rows.set(key, { token, untilMs: nowMs() + (result.dueInMs ?? 0) });
          continue;
        }
        // What is owed is free for whoever comes next; the token may repeat its own settling.
        const lease = rows.get(key);
        if (lease !== undefined) rows.set(key, { ...lease, untilMs: 0 });
      }
    },

    gaveBack(token, unfinished) {
      for (const key of unfinished) {
        for (const [book, name] of [
          [events, key.event],
          [rows, keyOf(key)],
        ] as const) {
          const lease = book.get(name);
          if (lease?.token === token) book.set(name, { token, untilMs: 0 });
        }
      }
    },

    recovered(isolate) {
      for (const book of [events, rows]) {
        for (const [name, lease] of book) {
          if (!lease.token.startsWith(isolate)) book.set(name, { ...lease, untilMs: 0 });
        }
      }
    },

    holds(token, event, key) {
      return [events.get(event), rows.get(key)].some(
        (lease) => lease?.token === token && lease.untilMs >= nowMs(),
      );
    },

    claimedAtMs: (token) => claimedAtMs.get(token),
    isByEvent: (token, event) => events.get(event)?.token === token,
    settlementOf: (key) => settlements.get(key),
  };
}
