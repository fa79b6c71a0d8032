/** Replays in memory: their deliveries stand in the ledger in memory, written with the checkpoint at once. */
import { OUTBOX_RESEND_MS } from "../../src/core/limits.ts";
import { START } from "../../src/core/replay.ts";
import type { DeliveryState } from "../../src/core/settle.ts";
import { keptType, keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Replay, ReplayedDelivery, ReplayId, Replays } from "../../src/ports/replays.ts";
import type { MemoryLedger } from "./memory-ledger.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export function createMemoryReplays(
  clock: Pick<Clock, "nowMs">,
  tenants: Pick<MemoryTenants, "born">,
  ledger: Pick<MemoryLedger, "events" | "deliveries">,
): Replays {
  const replays = new Map<string, Replay>();
  const at = ({ tenant, id }: ReplayId): string => `${tenant} ${id}`;
  const ofReplay = ({ tenant, id }: ReplayId) =>
    [...ledger.deliveries].filter(([, row]) => row.replay === id && row.tenant === tenant);

  function make(replay: string, delivery: ReplayedDelivery): boolean {
    const { pointer, revision, receipt, mayBeQueued, ...given } = delivery;
    const rest = { ...given, type: keptType(given.type) };
    const { event: id, tenant, source, type, receivedAtMs } = rest;
    const born = tenants.born(tenant)?.revision ?? Number.POSITIVE_INFINITY;
    if (born > revision) return false;
    const row = ledger.events.get(id);
    if (row === undefined) {
      if (mayBeQueued) return false;
      const first = { id, receipt, tenant, source, type, receivedAtMs, revision, pointer };
      ledger.events.set(id, { ...first, claimedAtMs: clock.nowMs(), token: "", leaseUntilMs: 0 });
    } else if (row.receipt !== receipt || row.tenant !== tenant) return false;
    else if (row.pointer.segment === "") row.pointer = pointer;
    if (ledger.deliveries.has(keyOf(delivery))) return false;
    ledger.deliveries.set(keyOf(delivery), {
      ...rest,
      ...{ priority: "replay", state: "pending", attempts: 0, attemptsBase: 0, replay, log: [] },
      ...{ lastStatus: null, lastError: null, settledAtMs: null, token: "" },
      dueAtMs: clock.nowMs() + OUTBOX_RESEND_MS,
    });
    return true;
  }

  return {
    async create(replay, query) {
      if (tenants.born(replay.tenant) === undefined || replays.has(at(replay))) return;
      const now = clock.nowMs();
      replays.set(at(replay), {
        ...{ ...replay, query, state: "running", rev: 0, checkpoint: START, reachedAtMs: null },
        ...{ examined: 0, deliveries: 0, unreadableBytes: 0, createdAtMs: now, updatedAtMs: now },
      });
    },
    replay: async (replay) => replays.get(at(replay)) ?? null,
    async replays(tenant, after, count) {
      const all = [...replays.values()]
        .filter((each) => each.tenant === tenant && (after === null || each.id < after))
        .sort((a, b) => (a.id < b.id ? 1 : -1));
      const items = all.slice(0, count);
      return { items, after: all.length > count ? (items.at(-1)?.id ?? null) : null };
    },
    async states(replay) {
      const states: Partial<Record<DeliveryState, number>> = {};
      for (const [, { state }] of ofReplay(replay)) {
        if (state !== "unmatched") states[state] = (states[state] ?? 0) + 1;
      }
      return states;
    },
    async move(replay, from, to) {
      const found = replays.get(at(replay));
      if (found === undefined || !from.includes(found.state)) return false;
      replays.set(at(replay), { ...found, state: to, updatedAtMs: clock.nowMs() });
      return true;
    },
    async giveUp(replay, why) {
      const owed = ofReplay(replay).filter(([, { state }]) =>
        ["pending", "retrying", "parked"].includes(state),
      );
      for (const [key, row] of owed) {
        const cancelled = { state: "cancelled", dueAtMs: null, lastError: why, token: "" } as const;
        ledger.deliveries.set(key, { ...row, ...cancelled });
      }
      return owed.length;
    },
    async advance(replay, rev, slice) {
      const found = replays.get(at(replay));
      if (found?.state !== "running" || found.rev !== rev) return null;
      const made = slice.deliveries.filter((delivery) => make(replay.id, delivery));
      const { checkpoint, reachedAtMs, examined, unreadableBytes, isLast } = slice;
      replays.set(at(replay), {
        ...found,
        ...{ checkpoint, rev: rev + 1, state: isLast ? "done" : "running" },
        reachedAtMs: reachedAtMs ?? found.reachedAtMs,
        examined: found.examined + examined,
        deliveries: found.deliveries + made.length,
        unreadableBytes: found.unreadableBytes + unreadableBytes,
        updatedAtMs: clock.nowMs(),
      });
      return made;
    },
  };
}
