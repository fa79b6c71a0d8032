/** The ledger in memory: the same claims, fences and leases as in D1, by its own clock. */
import type { Standing } from "../../src/core/changes.ts";
import { expiryAt, type Slot, slotOf } from "../../src/core/generation.ts";
import type { Place } from "../../src/core/order/order.ts";
import type { QueueName } from "../../src/core/priority.ts";
import type { QueueControl } from "../../src/core/queue-control.ts";
import {
  type AgainClaim,
  type DeliveryKey,
  type FirstClaim,
  type FirstVerdict,
  firstKey,
  keptType,
  keyOf,
} from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { AttemptRecord, DeliveryResult, Duplicate, Ledger } from "../../src/ports/ledger.ts";
import { createMemoryParked } from "./memory-parked.ts";
import {
  inOrder,
  isOwed,
  isRepeat,
  isShelved,
  isWaitingForTurn,
  turnOf,
} from "./memory-row-states.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export interface EventRow extends Omit<FirstClaim, "pointer"> {
  readonly claimedAtMs: number;
  pointer: FirstClaim["pointer"];
  token: string;
  leaseUntilMs: number;
}

/** `attempt` of the result that wrote it is in `log`. */
export interface DeliveryRow
  extends Omit<DeliveryResult, "attempt" | "claimedBy" | "dueInMs" | "isUnplaced" | "order"> {
  /** Of a target with an order. */
  readonly order?: RowInOrder;
  readonly attemptsBase: number;
  readonly dueAtMs: number | null;
  readonly settledAtMs: number | null;
  readonly token: string;
  readonly log: readonly AttemptRecord[];
}

export interface RowInOrder extends Pick<Place, "key" | "value"> {
  /** The token it last had its turn under. */
  readonly turn: string | null;
  readonly isWaiting: boolean;
  /** It had a turn before, of which nobody said what came of it. */
  readonly mayHaveBegun: boolean;
}

export interface MemoryLedger extends Ledger {
  /** By event id. */
  readonly events: Map<string, EventRow>;
  /** By `keyOf`. */
  readonly deliveries: Map<string, DeliveryRow>;
  readonly duplicates: Map<string, Duplicate>;
  readonly cancelledFanOuts: Set<string>;
  /** What operators say of the queues, by their names. */
  readonly controls: Map<QueueName, QueueControl>;
  /** Makes a dead letter due now, its retry ladder anew. */
  redrive(key: string): void;
}

const ATTEMPTS_LOGGED_MAX = 20;

export function createMemoryLedger(clock: Clock, tenants: MemoryTenants): MemoryLedger {
  const events: MemoryLedger["events"] = new Map();
  const deliveries: MemoryLedger["deliveries"] = new Map();
  const duplicates: MemoryLedger["duplicates"] = new Map();
  const cancelledFanOuts: MemoryLedger["cancelledFanOuts"] = new Set();
  const controls: MemoryLedger["controls"] = new Map();
  const isPaused = (queue: QueueName): boolean => controls.get(queue)?.isPaused === true;
  const emptiedFor = new Map<Slot, number>();

  function claimFirst(first: FirstClaim, token: string, leaseMs: number): FirstVerdict {
    const now = clock.nowMs();
    const born = tenants.born(first.tenant)?.revision ?? Number.POSITIVE_INFINITY;
    if (born > first.revision) return { kind: "gone" };
    const found = events.get(first.id);
    const isOfLifeBefore = found !== undefined && found.revision < born;
    if (isOfLifeBefore) {
      // Its rows would be removed by the deletion; here they have the same keys as those that come.
      for (const [key, { event }] of deliveries) if (event === first.id) deliveries.delete(key);
    }
    const row = isOfLifeBefore ? undefined : found;
    const done = new Set<string>();
    for (const { event, subscription } of deliveries.values()) {
      if (event === first.id) done.add(subscription);
    }
    if (row === undefined) {
      const type = keptType(first.type);
      events.set(first.id, {
        ...first,
        type,
        claimedAtMs: now,
        token,
        leaseUntilMs: now + leaseMs,
      });
      return { kind: "claimed", done, isUnplaced: false };
    }
    if (row.receipt !== first.receipt) return { kind: "duplicate", owner: row.receipt };
    if (row.leaseUntilMs >= now && row.token !== token) {
      const isUnplaced = row.pointer.segment === "";
      return { kind: "leased", remainingMs: row.leaseUntilMs - now, done, isUnplaced };
    }
    // Once something is settled, the row names where the bytes rest, or nothing.
    const pointer = done.size === 0 ? first.pointer : row.pointer;
    events.set(first.id, { ...row, pointer, token, leaseUntilMs: now + leaseMs });
    return { kind: "claimed", done, isUnplaced: pointer.segment === "" };
  }

  function claimAgain(again: AgainClaim, token: string, leaseMs: number): DeliveryRow | null {
    const now = clock.nowMs();
    const row = deliveries.get(keyOf(again));
    if (row === undefined || row.attempts !== again.attempts) return null;
    const born = tenants.born(again.tenant)?.revision ?? Number.POSITIVE_INFINITY;
    if (born > again.revision) return null;
    if (row.tenant !== again.tenant || row.receivedAtMs !== again.receivedAtMs) return null;
    const isFree =
      row.state === "pending" ||
      row.state === "retrying" ||
      (row.state === "delivering" && ((row.dueAtMs ?? 0) < now || row.token === token));
    if (!isFree) return null;
    deliveries.set(keyOf(again), { ...row, state: "delivering", token, dueAtMs: now + leaseMs });
    return row;
  }

  /** "refused" when the claim that the result rests on is no longer held. */
  function write(result: DeliveryResult, token: string): "refused" | "reopened" | "written" {
    const { attempt, claimedBy, dueInMs, isUnplaced, order, ...rest } = result;
    const row = deliveries.get(keyOf(result));
    const owner = events.get(result.event);
    // Of a tenant that was deleted since: nothing comes after what its deletion removed.
    const born = tenants.born(result.tenant)?.revision ?? Number.POSITIVE_INFINITY;
    if (claimedBy === "event" && owner !== undefined && born > owner.revision) {
      return "refused";
    }
    // A target that was opened meanwhile has released what was parked: this one would wait for ever.
    const isClosures = rest.state === "parked" && dueInMs === null && order?.isWaiting !== true;
    const isLate = isClosures && tenants.isOpen(rest.tenant, rest.target);
    const state = isLate ? "pending" : rest.state;
    const isHeld =
      claimedBy === "event"
        ? events.get(result.event)?.token === token && (row === undefined || row.token === token)
        : row?.token === token && (row.state === "delivering" || isRepeat(row, { ...rest, state }));
    if (!isHeld) return "refused";
    if (isUnplaced && owner !== undefined && claimedBy === "event") {
      owner.pointer = { ...owner.pointer, segment: "" };
    }
    const now = clock.nowMs();
    const before = claimedBy === "event" ? [] : (row?.log ?? []);
    const isLogged = attempt === null || (claimedBy === "row" && row?.attempts === rest.attempts);
    const place = row?.order ?? (order === undefined ? undefined : inOrder(order));
    const isBack = rest.state === "pending" || rest.state === "parked";
    const isWaiting = order?.isWaiting === true;
    deliveries.set(keyOf(result), {
      ...rest,
      type: keptType(rest.type),
      ...(place === undefined
        ? {}
        : { order: isBack ? turnOf(place, token, { turn: null, isWaiting }) : place }),
      lastStatus: rest.lastStatus ?? (claimedBy === "row" ? (row?.lastStatus ?? null) : null),
      attemptsBase: row?.attemptsBase ?? 0,
      replay: row?.replay,
      state,
      dueAtMs: isLate ? now : dueInMs === null ? null : now + dueInMs,
      settledAtMs: now,
      token,
      log: isLogged ? before : [...before, attempt].slice(-ATTEMPTS_LOGGED_MAX),
    });
    return isLate ? "reopened" : "written";
  }

  function change(key: DeliveryKey | string, with_: (row: DeliveryRow) => Partial<DeliveryRow>) {
    const id = typeof key === "string" ? key : keyOf(key);
    const row = deliveries.get(id);
    if (row !== undefined) deliveries.set(id, { ...row, ...with_(row) });
  }

  return {
    ...createMemoryParked({ clock, tenants, events, deliveries, change, isPaused }),
    controls,
    events,
    deliveries,
    duplicates,
    cancelledFanOuts,

    async claim({ token, leaseSeconds, firsts, agains, tenants: wanted, fanOuts = [] }) {
      const leaseMs = leaseSeconds * 1_000;
      const revisions = wanted.flatMap((id): [string, number][] => {
        const revision = tenants.revision(id);
        return revision === undefined ? [] : [[id, revision]];
      });
      return {
        firsts: new Map(
          firsts.map((first) => [firstKey(first), claimFirst(first, token, leaseMs)]),
        ),
        agains: new Map(
          agains.flatMap((again): [string, { attemptsBase: number }][] => {
            const row = claimAgain(again, token, leaseMs);
            return row === null ? [] : [[keyOf(again), { attemptsBase: row.attemptsBase }]];
          }),
        ),
        revisions: new Map(revisions),
        cancelledFanOuts: new Set(
          fanOuts.map(({ id }) => id).filter((id) => cancelledFanOuts.has(id)),
        ),
        controls: [...controls.values()],
      };
    },

    queueControls: async () => [...controls.values()],

    async changes(ids) {
      const found = [...ids].flatMap((id): [string, Standing][] => {
        const [revision, born] = [tenants.revision(id), tenants.born(id)];
        if (revision === undefined || born === undefined) return [];
        return [[id, { revision, createdAtMs: born.revision }]];
      });
      return { standings: new Map(found), controls: [...controls.values()] };
    },

    async settle(token, results, copies) {
      const written = Map.groupBy(results, (result) => write(result, token));
      const keysOf = (outcome: "refused" | "reopened") => new Set(written.get(outcome)?.map(keyOf));
      for (const copy of copies) {
        const key = `${copy.event} ${copy.receipt}`;
        if (!duplicates.has(key)) duplicates.set(key, copy);
      }
      return { refused: keysOf("refused"), reopened: keysOf("reopened") };
    },

    async place(token, placements) {
      for (const { event, pointer } of placements) {
        const row = events.get(event);
        if (row?.token === token && row.pointer.segment === "") row.pointer = pointer;
      }
    },

    async giveBack(token, unfinished) {
      for (const key of unfinished) {
        const row = events.get(key.event);
        if (key.claimedBy === "event" && row?.token === token) row.leaseUntilMs = 0;
        if (key.claimedBy === "event") continue;
        change(key, ({ state, token: holder }) =>
          state === "delivering" && holder === token
            ? { state: "pending", dueAtMs: clock.nowMs() }
            : {},
        );
      }
    },

    async due(horizonMs, count) {
      const now = clock.nowMs();
      return [...deliveries.values()]
        .flatMap((row) => {
          const pointer = events.get(row.event)?.pointer;
          if (!isOwed(row) || row.dueAtMs === null || pointer === undefined) return [];
          if (isPaused(row.priority)) return [];
          return row.dueAtMs < now + horizonMs
            ? [{ ...row, dueInMs: row.dueAtMs - now, replay: row.replay ?? null, pointer }]
            : [];
        })
        .sort((a, b) => a.dueInMs - b.dueInMs)
        .slice(0, count);
    },

    async putOff(keys, byMs) {
      for (const key of keys) {
        change(key, (row) => {
          const now = clock.nowMs();
          const due = row.dueAtMs ?? 0;
          if (!isOwed(row) || (row.state === "delivering" && due >= now)) return {};
          // A lease that has ended: as "delivering" its new time would be a lease again.
          const state = row.state === "delivering" ? "pending" : row.state;
          return { state, dueAtMs: Math.max(due, now) + byMs };
        });
      }
    },

    async bury(keys, reason) {
      for (const key of keys) {
        change(key, (row) =>
          isOwed(row) ? { state: "dead", dueAtMs: null, lastError: reason } : {},
        );
      }
    },

    async release(tenant, target) {
      const isOpen = tenants.isOpen(tenant, target);
      if (!isOpen && tenants.has(tenant, target)) return 0;
      const parked = [...deliveries].filter(
        ([, row]) =>
          row.state === "parked" &&
          row.tenant === tenant &&
          row.target === target &&
          (row.dueAtMs === null || !isOpen) &&
          !(isWaitingForTurn(row) && tenants.hasOrder(tenant, target)),
      );
      const hasGate = tenants.hasGate(tenant, target) || tenants.isLeased(tenant, target);
      for (const [key] of parked) {
        change(key, () => {
          if (!isOpen) return { state: "cancelled", dueAtMs: null, lastError: "target deleted" };
          return hasGate
            ? { dueAtMs: clock.nowMs(), lastError: "target opened" }
            : { state: "pending", dueAtMs: 0, lastError: null };
        });
      }
      return parked.length;
    },

    async openings(count) {
      const opened = new Map<string, { tenant: string; target: string }>();
      for (const row of deliveries.values()) {
        const { state, tenant, target, dueAtMs } = row;
        if (isWaitingForTurn(row) && tenants.hasOrder(tenant, target)) continue;
        if (state !== "parked" || (dueAtMs !== null && tenants.has(tenant, target))) continue;
        if (tenants.isOpen(tenant, target) || !tenants.has(tenant, target)) {
          opened.set(`${tenant} ${target}`, { tenant, target });
        }
      }
      return [...opened.values()].slice(0, count);
    },

    async expire(nowMs) {
      const { generation, slot, keepFromMs } = expiryAt(nowMs);
      if ((emptiedFor.get(slot) ?? 0) >= generation) return null;
      emptiedFor.set(slot, generation);
      const isIn = (at: { receivedAtMs: number }) => slotOf(at.receivedAtMs) === slot;
      const open = new Set(
        [...deliveries.values()]
          .filter((row) => isOwed(row) || isShelved(row))
          .map(({ event }) => event),
      );
      const dropped = new Set<string>();
      let carried = 0;
      for (const [id, row] of events) {
        if (!isIn(row)) continue;
        const isKept = row.receivedAtMs >= keepFromMs || row.leaseUntilMs >= clock.nowMs();
        if (isKept || open.has(id)) carried += 1;
        else dropped.add(id);
      }
      for (const id of dropped) events.delete(id);
      for (const [key, row] of deliveries) if (dropped.has(row.event)) deliveries.delete(key);
      for (const [key, copy] of duplicates) {
        const isKept = copy.receivedAtMs >= keepFromMs || events.has(copy.event);
        if (isIn(copy) && !isKept) duplicates.delete(key);
      }
      return { generation, dropped: dropped.size, carried };
    },

    async recover(isolate) {
      for (const row of events.values()) {
        if (!row.token.startsWith(isolate)) row.leaseUntilMs = 0;
      }
      for (const [key, { state, token }] of deliveries) {
        if (state !== "delivering" || token.startsWith(isolate)) continue;
        change(key, () => ({ dueAtMs: 0 }));
      }
    },

    disableTarget: async (tenant, target, reason, version) =>
      tenants.disable(tenant, target, reason, version),

    redrive(key) {
      const dueAtMs = clock.nowMs();
      change(key, ({ attempts }) => ({ state: "pending", attemptsBase: attempts, dueAtMs }));
    },
  };
}
