/** What a receiver of ordered deliveries must never see, by what it sees itself and by what the ledger knew. */

import type { OrderMode } from "../../src/core/order/order.ts";
import { rankOf } from "../../src/core/order/rank.ts";
import { type Contender, compareAge } from "../../src/core/order/turns.ts";
import { keyOf } from "../../src/ports/claim.ts";
import { errorText } from "../../src/ports/log.ts";
import type { Turns } from "../../src/ports/turns.ts";
import type { DeliveryRow } from "../support/memory-ledger.ts";
import type { World } from "../support/memory-router.ts";

export interface OrderedEvent {
  readonly id: string;
  readonly number: number;
  readonly key: string;
  readonly version: number;
  readonly receivedAtMs: number;
}

export interface OrderWatch {
  readonly violation: string | null;
  readonly attempts: number;
  /** Answers of the ledger that one waits. */
  readonly waits: number;
  /** After each call of a store: what it knows from now on. */
  looked(): void;
  /** The same turns, of which it is noted when they were given. */
  watching(turns: Turns): Turns;
  redriven(event: OrderedEvent): void;
  begins(event: OrderedEvent): void;
  ends(event: OrderedEvent, isTaken: boolean): void;
  /** Part of the program rejected, which nobody is there to hear. */
  rejected(what: string, error: unknown): void;
  /** When nothing goes on any more. */
  last(): void;
}

type Age = Pick<Contender, "value" | "receivedAtMs" | "event">;
const FINAL = ["delivered", "dead", "cancelled"];

export function createOrderWatch(
  world: World,
  mode: OrderMode,
  isBy: boolean,
  isSteady: boolean,
  events: readonly OrderedEvent[],
): OrderWatch {
  let violation: string | null = null;
  let [at, attempts, waits] = [0, 0, 0];
  /** By event: when the ledger first knew of it, and when it last had its turn. */
  const [known, turnAt] = [new Map<string, number>(), new Map<string, number>()];
  const underWay = new Map<string, OrderedEvent>();
  const begun = new Set<OrderedEvent>();
  const lastTaken = new Map<string, OrderedEvent>();
  function violated(sentence: string): void {
    violation ??= sentence;
  }
  const rowOf = ({ id }: OrderedEvent): DeliveryRow | undefined =>
    [...world.ledger.deliveries.values()].find(({ event }) => event === id);
  const ageOf = ({ id, version, receivedAtMs }: OrderedEvent): Age => {
    const value = isBy ? rankOf(version) : rankOf(new Date(receivedAtMs).toISOString());
    return { value: mode === "fifo" ? "" : value, receivedAtMs, event: id };
  };
  const isOlder = (one: OrderedEvent, other: OrderedEvent): boolean =>
    compareAge(ageOf(one), ageOf(other)) < 0;
  /** Equally new ones may go in any order. */
  const isStrictlyOlder = (one: OrderedEvent, other: OrderedEvent): boolean =>
    compareAge({ ...ageOf(one), event: "" }, { ...ageOf(other), event: "" }) < 0;
  const ofKey = ({ key }: OrderedEvent) => events.filter((each) => each.key === key);

  function looked(): void {
    at += 1;
    for (const { event } of world.ledger.deliveries.values()) {
      if (!known.has(event)) known.set(event, at);
    }
  }

  function checkFifo(event: OrderedEvent): void {
    for (const other of ofKey(event)) {
      const isBefore =
        isOlder(other, event) && (known.get(other.id) ?? at) < (turnAt.get(event.id) ?? 0);
      const state = rowOf(other)?.state;
      if (isBefore && state !== undefined && !FINAL.includes(state)) {
        violated(`${event.number} of ${event.key} begins while ${other.number} is ${state}`);
      }
    }
  }

  return {
    get violation() {
      return violation;
    },
    get attempts() {
      return attempts;
    },
    get waits() {
      return waits;
    },
    looked,
    watching: (turns) => ({
      ...turns,
      async take(...asked) {
        const verdicts = await turns.take(...asked);
        looked();
        at += 1;
        for (const ask of asked[2]) {
          const kind = verdicts.get(keyOf(ask))?.kind;
          if (kind === "turn") turnAt.set(ask.event, at);
          if (kind === "waits") waits += 1;
        }
        return verdicts;
      },
    }),
    redriven({ id }) {
      at += 1;
      known.set(id, at);
    },
    begins(event) {
      attempts += 1;
      if (!isSteady) return;
      const other = underWay.get(event.key);
      if (other !== undefined) {
        violated(`${event.number} of ${event.key} begins beside ${other.number}`);
      }
      underWay.set(event.key, event);
      if (mode === "fifo") checkFifo(event);
      else {
        const isBehind = mode === "drop-older" ? isStrictlyOlder : isOlder;
        const newer = ofKey(event).find((each) => begun.has(each) && isBehind(event, each));
        if (newer !== undefined) {
          violated(`${event.number} of ${event.key} begins after ${newer.number}, which is newer`);
        }
      }
      begun.add(event);
    },
    ends(event, isTaken) {
      underWay.delete(event.key);
      if (isTaken) lastTaken.set(event.key, event);
    },
    rejected: (what, error) => violated(`${what} rejects: ${errorText(error)}`),
    last() {
      for (const event of events) {
        const row = rowOf(event);
        const { state = "lost", lastError = null } = row ?? {};
        if (!FINAL.includes(state)) violated(`${event.number} is ${state} for ever: ${lastError}`);
        if (lastError?.includes("not in the archive")) violated(`${event.number} lost its bytes`);
        if (!isSteady) continue;
        if (mode === "fifo" && state === "cancelled") violated(`${event.number} is cancelled`);
        const newest = ofKey(event).reduce((one, other) => (isOlder(one, other) ? other : one));
        if (mode === "fifo" || newest !== event) continue;
        if (state === "cancelled") violated(`${event.number}, the newest, is cancelled`);
        const taken = lastTaken.get(event.key);
        if (state === "delivered" && taken !== undefined && isStrictlyOlder(taken, event)) {
          violated(`${taken.number} was taken after ${event.number}, the newest`);
        }
      }
    },
  };
}
