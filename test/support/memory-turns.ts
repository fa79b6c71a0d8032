/** Turns in memory, over the rows of the ledger in memory: decided by the core, as D1's statements do. */
import { GATE_RELEASE_MS } from "../../src/core/gate-limits.ts";
import { ORDER_NEXT_MAX, ORDER_NEXT_PAGE } from "../../src/core/order/limits.ts";
import {
  type Contender,
  compareAge,
  isSuperseded,
  PASSED_REASONS,
  type Verdict,
  verdictOf,
  waitsReason,
} from "../../src/core/order/turns.ts";
import { keptType, keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { DueDelivery } from "../../src/ports/ledger.ts";
import type { TurnAsk, Turns } from "../../src/ports/turns.ts";
import type { DeliveryRow, MemoryLedger } from "./memory-ledger.ts";
import { inOrder, isWaitingForTurn, turnOf } from "./memory-row-states.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export function createMemoryTurns(
  clock: Pick<Clock, "nowMs">,
  { deliveries, events }: MemoryLedger,
  tenants: Pick<MemoryTenants, "born">,
): Turns {
  const change = (row: DeliveryRow, more: Partial<DeliveryRow>): void =>
    void deliveries.set(keyOf(row), { ...row, ...more });

  const ofKey = (key: string): DeliveryRow[] =>
    [...deliveries.values()].filter(({ order }) => order?.key === key);

  const isHeld = ({ state, order, token, dueAtMs }: DeliveryRow): boolean =>
    state === "delivering" && order?.turn === token && (dueAtMs ?? 0) >= clock.nowMs();

  const contender = (row: DeliveryRow, token: string): Contender => ({
    ...{ receivedAtMs: row.receivedAtMs, event: row.event, value: row.order?.value ?? null },
    state: row.state === "unmatched" ? "cancelled" : row.state,
    ...{ attempts: row.attempts, isOwn: row.token === token },
    isUnderWay: row.token !== token && isHeld(row),
    hasHadTurn:
      row.order !== undefined &&
      turnOf(row.order, token, { turn: null, isWaiting: false }).mayHaveBegun,
    isOfLifeBefore: (events.get(row.event)?.claimedAtMs ?? 0) < bornAtMs(row.tenant),
  });

  const bornAtMs = (tenant: string): number =>
    tenants.born(tenant)?.atMs ?? Number.POSITIVE_INFINITY;

  function begin(ask: TurnAsk, token: string, leaseMs: number): void {
    const { place, claimedBy, ...rest } = ask;
    const { key, value } = place;
    const row = deliveries.get(keyOf(ask));
    if (row === undefined) {
      if (claimedBy === "row" || events.get(ask.event)?.token !== token) return;
      deliveries.set(keyOf(ask), {
        ...rest,
        type: keptType(rest.type),
        ...{ state: "delivering", token, dueAtMs: clock.nowMs() + leaseMs, attemptsBase: 0 },
        ...{ lastStatus: null, lastError: null, settledAtMs: null, log: [] },
        order: { ...inOrder(place), turn: token },
      });
    } else if (isMine(row, token)) {
      change(row, { order: { ...(row.order ?? inOrder(place)), key, value } });
    }
  }

  const isMine = (row: DeliveryRow | undefined, token: string): boolean =>
    row?.state === "delivering" && row.token === token;

  /** In the order of the statements in D1: all that pass, then all that wait, then turns. */
  function decide(asks: readonly TurnAsk[], token: string, kind: Verdict["kind"]): void {
    const decided = asks.flatMap((ask): [DeliveryRow, Verdict, TurnAsk][] => {
      const row = deliveries.get(keyOf(ask));
      if (row === undefined || !isMine(row, token)) return [];
      const others = ofKey(ask.place.key).filter((other) => keyOf(other) !== keyOf(ask));
      const verdict = verdictOf(
        contender(row, token),
        others.map((other) => contender(other, token)),
        ask.place.mode,
      );
      return verdict.kind === kind ? [[row, verdict, ask]] : [];
    });
    for (const [row, verdict, { place }] of decided) {
      const order = row.order ?? inOrder(place);
      const settledAtMs = clock.nowMs();
      if (verdict.kind === "turn") {
        change(row, { order: turnOf(order, token, { turn: token, isWaiting: false }) });
      }
      if (verdict.kind === "waits") {
        const lastError = waitsReason(verdict.event);
        const waiting = turnOf(order, token, { turn: null, isWaiting: true });
        change(row, { state: "parked", dueAtMs: null, settledAtMs, lastError, order: waiting });
      } else if (verdict.kind === "passed" && place.mode !== "fifo") {
        const lastError = `${PASSED_REASONS[place.mode]}${verdict.event}`;
        change(row, { state: "cancelled", dueAtMs: null, settledAtMs, lastError });
      }
    }
  }

  function supersede(asks: readonly TurnAsk[], token: string): void {
    for (const ask of asks) {
      const row = deliveries.get(keyOf(ask));
      if (row === undefined || ask.place.mode !== "latest-wins" || !isMine(row, token)) continue;
      for (const other of ofKey(ask.place.key)) {
        if (!isSuperseded(contender(other, token), contender(row, token))) continue;
        const lastError = `${PASSED_REASONS["latest-wins"]}${row.event}`;
        const settledAtMs = clock.nowMs();
        change(other, { state: "cancelled", dueAtMs: null, token: "", settledAtMs, lastError });
      }
    }
  }

  function isNext(row: DeliveryRow): boolean {
    const others = ofKey(row.order?.key ?? "").filter((other) => keyOf(other) !== keyOf(row));
    if (others.some(isHeld)) return false;
    if (row.order?.value !== null) return true;
    const received = ({ receivedAtMs, event }: DeliveryRow) => {
      return { receivedAtMs, event, value: null };
    };
    return !others.some(
      (other) =>
        ["pending", "delivering", "retrying", "parked"].includes(other.state) &&
        !isWaitingForTurn(other) &&
        compareAge(received(other), received(row)) < 0,
    );
  }

  return {
    async take(token, leaseSeconds, asks) {
      for (const ask of asks) begin(ask, token, leaseSeconds * 1_000);
      decide(asks, token, "passed");
      supersede(asks, token);
      decide(asks, token, "waits");
      decide(asks, token, "turn");
      return new Map(
        asks.flatMap((ask): [string, Verdict][] => {
          const row = deliveries.get(keyOf(ask));
          if (row?.token !== token) return [];
          const event = row.lastError?.split(" ").at(-1) ?? "";
          const { state } = row;
          if (state === "delivering") return [[keyOf(ask), { kind: "turn" }]];
          return [[keyOf(ask), { kind: state === "parked" ? "waits" : "passed", event }]];
        }),
      );
    },

    async next(keys) {
      const found = [...new Set(keys)].flatMap((key) =>
        ofKey(key)
          .filter((row) => isWaitingForTurn(row) && isNext(row))
          .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
          .slice(0, ORDER_NEXT_MAX),
      );
      return found.slice(0, ORDER_NEXT_PAGE).flatMap((row): DueDelivery[] => {
        const pointer = events.get(row.event)?.pointer;
        if (pointer === undefined) return [];
        change(row, { state: "pending", dueAtMs: clock.nowMs() + GATE_RELEASE_MS });
        return [{ ...row, dueInMs: 0, replay: row.replay ?? null, pointer }];
      });
    },

    async waiting(from) {
      const keys = [...deliveries.values()].filter(isWaitingForTurn).map(({ order }) => order?.key);
      return [...new Set(keys)]
        .filter((key) => key !== undefined && key >= from)
        .sort() as string[];
    },
  };
}
