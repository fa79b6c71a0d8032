/** What is parked, of the ledger in memory: for gates, and for targets that are closed. */
import type { ParkedTarget } from "../../src/core/gate/index.ts";
import { GATE_RELEASE_MS, GATE_RETRIES_PASSED_MAX } from "../../src/core/gate-limits.ts";
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import { BATCH_TOKEN } from "../../src/ports/batches.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Ledger } from "../../src/ports/ledger.ts";
import type { DeliveryRow, EventRow } from "./memory-ledger.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

type Parked = Pick<
  Ledger,
  | "takeParked"
  | "parkedTargets"
  | "buryParked"
  | "closedTargets"
  | "waiting"
  | "buryClosed"
  | "buryClosedExcess"
>;

export function createMemoryParked({
  clock,
  tenants,
  events,
  deliveries,
  change,
  isPaused,
}: {
  readonly clock: Clock;
  readonly tenants: MemoryTenants;
  readonly events: ReadonlyMap<string, EventRow>;
  readonly deliveries: ReadonlyMap<string, DeliveryRow>;
  change(key: string, by: (row: DeliveryRow) => Partial<DeliveryRow>): void;
  isPaused(queue: QueueName): boolean;
}): Parked {
  /** Targets of such deliveries, each with the most urgent and oldest of them. */
  function targetsOf(isMeant: (row: DeliveryRow) => boolean): ParkedTarget[] {
    const found = [...deliveries.values()].filter(isMeant).map((row) => ({
      ...{ tenant: row.tenant, target: row.target },
      ...{ rank: rankOf(row), oldestAtMs: row.receivedAtMs },
    }));
    const least = found.toSorted((a, b) => b.rank - a.rank || b.oldestAtMs - a.oldestAtMs);
    return [...new Map(least.map((each) => [`${each.tenant}/${each.target}`, each])).values()];
  }

  type Entry = readonly [key: string, row: DeliveryRow];
  const byPlace = ([, a]: Entry, [, b]: Entry): number =>
    rankOf(a) - rankOf(b) || a.receivedAtMs - b.receivedAtMs;
  const isRetry = ([, { attempts, attemptsBase }]: Entry): boolean => attempts > attemptsBase;

  const isInBatch = ({ token, dueAtMs }: DeliveryRow): boolean =>
    token.startsWith(BATCH_TOKEN) && (dueAtMs ?? 0) > clock.nowMs();

  return {
    async takeParked(tenant, target, { count, retries }) {
      if (tenants.isLeased(tenant, target)) return { taken: [], left: null, areRetries: false };
      const waiting = [...deliveries]
        .filter(([, row]) => isGateParked(row) && row.tenant === tenant && row.target === target)
        .filter(([, row]) => !isPaused(row.priority) && !isInBatch(row))
        .sort(byPlace);
      const first = waiting.slice(0, count);
      const again = first.filter(isRetry);
      const tooMany = again.slice(retries);
      const fresh = (
        tooMany.length === 0 ? first : waiting.slice(0, GATE_RETRIES_PASSED_MAX)
      ).filter((entry) => !isRetry(entry));
      const found = [...again.slice(0, retries), ...fresh].sort(byPlace).slice(0, count);
      const behind = found.length < count ? [] : found.slice(-1);
      const [next] = [...tooMany.slice(0, 1), ...behind].sort(byPlace);
      const taken = found.flatMap(([key, row]) => {
        const pointer = events.get(row.event)?.pointer;
        if (pointer === undefined) return [];
        change(key, () => ({ state: "pending", dueAtMs: clock.nowMs() + GATE_RELEASE_MS }));
        const replay = row.replay ?? null;
        return [{ ...row, dueInMs: 0, replay, pointer, isRetry: isRetry([key, row]) }];
      });
      const left = next?.[1].priority ?? null;
      return { taken, left, areRetries: left !== null && behind.length === 0 };
    },

    parkedTargets: async (count) => targetsOf(isGateParked).slice(0, count),
    closedTargets: async (count) => targetsOf(isClosedParked).slice(0, count),

    async waiting(tenant, target, countMax) {
      const bornAtMs = tenants.born(tenant)?.atMs ?? Number.POSITIVE_INFINITY;
      const waiting = [...deliveries.values()]
        .filter((row) => row.state === "parked" && row.tenant === tenant && row.target === target)
        .map(({ receivedAtMs }) => receivedAtMs)
        .filter((receivedAtMs) => receivedAtMs >= bornAtMs);
      if (waiting.length === 0) return null;
      return { count: Math.min(waiting.length, countMax), oldestAtMs: Math.min(...waiting) };
    },

    async buryClosedExcess(tenant, target, { countMax, reason }, count) {
      const bornAtMs = tenants.born(tenant)?.atMs ?? Number.POSITIVE_INFINITY;
      const waiting = [...deliveries]
        .filter(([, row]) => row.tenant === tenant && row.target === target && isClosedParked(row))
        .filter(([, row]) => row.receivedAtMs >= bornAtMs)
        .sort(byPlace);
      const isClosed = tenants.has(tenant, target) && !tenants.isOpen(tenant, target);
      const excess = isClosed ? waiting.slice(countMax, countMax + count) : [];
      for (const [key] of excess) change(key, () => ({ state: "dead", lastError: reason }));
      return excess.length;
    },

    async buryClosed(ageMs) {
      const old = [...deliveries].filter(
        ([, row]) =>
          row.state === "parked" &&
          row.dueAtMs === null &&
          Math.max(row.receivedAtMs, row.settledAtMs ?? 0) < clock.nowMs() - ageMs,
      );
      for (const [key] of old) {
        change(key, ({ lastError }) => ({
          state: "dead",
          lastError: `parked for too long: ${lastError ?? "its target is closed"}`,
        }));
      }
      return old.length;
    },

    async buryParked(tenant, target, ageMs, spared) {
      const old = [...deliveries].filter(
        ([, row]) =>
          isGateParked(row) &&
          row.tenant === tenant &&
          row.target === target &&
          (spared === undefined ||
            (row.dueAtMs ?? 0) <= clock.nowMs() ||
            (spared === "leased" && row.token === "")) &&
          Math.max(row.receivedAtMs, row.settledAtMs ?? 0) < clock.nowMs() - ageMs,
      );
      for (const [key] of old) {
        change(key, ({ lastError }) => ({
          ...{ state: "dead", dueAtMs: null },
          lastError: `parked for too long: ${lastError ?? "its gate had no room"}`,
        }));
      }
      return old.length;
    },
  };
}

const rankOf = ({ priority }: DeliveryRow): number => QUEUES.indexOf(priority);

const isClosedParked = ({ state, dueAtMs }: DeliveryRow): boolean =>
  state === "parked" && dueAtMs === null;

const isGateParked = ({ state, dueAtMs }: DeliveryRow): boolean =>
  state === "parked" && dueAtMs !== null;
