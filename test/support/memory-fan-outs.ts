/** Fan-outs in memory: their elements' deliveries stand in the ledger in memory. */
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { elementRange } from "../../src/core/fan-out/element.ts";
import { FANOUT_KEPT_MS, FANOUT_OVERDUE_MS } from "../../src/core/fan-out/limits.ts";
import type { DeliveryState } from "../../src/core/settle.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type {
  FanOut,
  FanOutId,
  FanOutJobs,
  FanOutState,
  FanOuts,
} from "../../src/ports/fan-outs.ts";
import type { MemoryLedger } from "./memory-ledger.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export interface MemoryFanOuts extends FanOuts, FanOutJobs {
  /** By tenant and id. */
  readonly rows: Map<string, FanOut>;
  /** Those that were woken, in order. */
  readonly woken: FanOutId[];
}

const isEnded = (state: FanOutState): boolean => !["running", "paused"].includes(state);

const TOOLS = { crypto: platformCrypto, text: platformText };

export function createMemoryFanOuts(
  clock: Pick<Clock, "nowMs">,
  tenants: Pick<MemoryTenants, "born">,
  ledger: Pick<MemoryLedger, "events" | "deliveries" | "cancelledFanOuts">,
): MemoryFanOuts {
  const rows: MemoryFanOuts["rows"] = new Map();
  const woken: FanOutId[] = [];
  const keyOf = ({ tenant, id }: FanOutId): string => `${tenant} ${id}`;
  const change = (at: FanOutId, to: Partial<FanOut>): void => {
    const found = rows.get(keyOf(at));
    if (found !== undefined) rows.set(keyOf(at), { ...found, ...to });
  };
  const deliveriesOf = ({ tenant, id, createdAtMs }: FanOut, from: number, until: number) => {
    const [first, end] = elementRange(id, from, until, TOOLS);
    return [...ledger.deliveries].filter(
      ([, row]) =>
        row.tenant === tenant &&
        row.receivedAtMs === createdAtMs &&
        (row.replay ?? null) === null &&
        row.event >= first &&
        row.event < end,
    );
  };

  return {
    rows,
    woken,
    async create({ revision, ...fanOut }) {
      const born = tenants.born(fanOut.tenant)?.revision ?? Number.POSITIVE_INFINITY;
      if (born > revision || rows.has(keyOf(fanOut))) return;
      const now = clock.nowMs();
      rows.set(keyOf(fanOut), {
        ...{ ...fanOut, state: fanOut.total > 0 ? "running" : "done", reason: null, rev: 0 },
        ...{ sent: 0, createdAtMs: now, updatedAtMs: now },
      });
    },
    async overdue(count) {
      const late = clock.nowMs() - FANOUT_OVERDUE_MS;
      return [...rows.values()]
        .filter(({ state, updatedAtMs }) => state === "running" && updatedAtMs < late)
        .sort((a, b) => a.updatedAtMs - b.updatedAtMs)
        .slice(0, count)
        .map(({ tenant, id }) => ({ tenant, id }));
    },
    async forget(count) {
      const before = clock.nowMs() - FANOUT_KEPT_MS;
      const old = [...rows]
        .filter(([, { state, createdAtMs }]) => isEnded(state) && createdAtMs < before)
        .sort(([, a], [, b]) => a.createdAtMs - b.createdAtMs)
        .slice(0, count);
      for (const [key] of old) rows.delete(key);
      return old.length;
    },
    async wake(fanOut) {
      woken.push(fanOut);
    },
    fanOut: async (at) => rows.get(keyOf(at)) ?? null,
    async fanOuts(tenant, after, count) {
      const all = [...rows.values()]
        .filter((each) => each.tenant === tenant && (after === null || each.id < after))
        .sort((a, b) => (a.id < b.id ? 1 : -1));
      const items = all.slice(0, count);
      return { items, after: all.length > count ? (items.at(-1)?.id ?? null) : null };
    },
    async place({ tenant, event }) {
      const row = ledger.events.get(event);
      return row?.tenant === tenant && row.pointer.segment !== "" ? row.pointer : null;
    },
    async states(fanOut, from = 0, until = fanOut.total) {
      const states: Partial<Record<DeliveryState, number>> = {};
      for (const [, { state }] of deliveriesOf(fanOut, from, until)) {
        if (state !== "unmatched") states[state] = (states[state] ?? 0) + 1;
      }
      return states;
    },
    async move(at, from, to, reason) {
      const found = rows.get(keyOf(at));
      if (found === undefined || !from.includes(found.state)) return false;
      change(at, { state: to, reason, updatedAtMs: clock.nowMs() });
      if (to === "cancelled") ledger.cancelledFanOuts.add(at.id);
      return true;
    },
    async cap(at, perSecond) {
      change(at, { perSecond });
      return rows.has(keyOf(at));
    },
    async giveUp(fanOut, why) {
      const owed = deliveriesOf(fanOut, 0, fanOut.total).filter(([, { state }]) =>
        ["pending", "retrying", "parked"].includes(state),
      );
      for (const [key, row] of owed) {
        const cancelled = { state: "cancelled", dueAtMs: null, lastError: why, token: "" } as const;
        ledger.deliveries.set(key, { ...row, ...cancelled });
      }
      return owed.length;
    },
    async advance(at, rev, { sent, offset }) {
      const found = rows.get(keyOf(at));
      if (found?.rev !== rev) return false;
      const isDone = sent >= found.total && ["running", "paused"].includes(found.state);
      change(at, {
        ...{ rev: rev + 1, sent, offset, updatedAtMs: clock.nowMs() },
        state: isDone ? "done" : found.state,
      });
      return true;
    },
  };
}
