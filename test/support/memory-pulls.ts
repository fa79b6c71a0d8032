/** What readers pull, in memory: over the rows of the ledger in memory, by its clock. */
import { QUEUES } from "../../src/core/priority.ts";
import { type DeliveryKey, keyOf } from "../../src/ports/claim.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { GateId } from "../../src/ports/gates.ts";
import {
  type Backlog,
  GATE,
  type HeldLease,
  keyOfLease,
  NO_LEASE,
  OWED_ANEW,
  type Pulls,
  type Ready,
  type SeekPosition,
  SKIPPED,
} from "../../src/ports/pulls.ts";
import type { DeliveryRow, MemoryLedger } from "./memory-ledger.ts";
import type { MemoryTenants } from "./memory-tenants.ts";

export function createMemoryPulls(
  clock: Clock,
  ledger: MemoryLedger,
  tenants: MemoryTenants,
): Pulls {
  const { deliveries, events } = ledger;
  const rank = ({ priority }: DeliveryRow) => QUEUES.indexOf(priority);
  const isAt =
    ({ tenant, target }: GateId) =>
    (row: DeliveryRow) =>
      row.tenant === tenant && row.target === target;
  const waiting = (id: GateId): DeliveryRow[] =>
    [...deliveries.values()]
      .filter((row) => isAt(id)(row) && row.state === "parked" && row.dueAtMs !== null)
      .sort((a, b) => rank(a) - rank(b) || a.receivedAtMs - b.receivedAtMs);
  const isDue = ({ dueAtMs }: DeliveryRow) =>
    (dueAtMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs();

  /** Its bytes rest, and its tenant is still the one that it came to. */
  function isOfNow({ event, tenant }: DeliveryRow): boolean {
    const { pointer, claimedAtMs = 0 } = events.get(event) ?? {};
    const bornAtMs = tenants.born(tenant)?.atMs ?? Number.POSITIVE_INFINITY;
    return (pointer?.segment ?? "") !== "" && claimedAtMs >= bornAtMs;
  }

  function change(row: DeliveryRow, more: Partial<DeliveryRow>): string {
    deliveries.set(keyOf(row), { ...row, ...more });
    return keyOf(row);
  }

  /** Rows at these keys, for as long as `isMeant`. */
  const rowsAt = <Key extends DeliveryKey>(
    keys: readonly Key[],
    isMeant: (row: DeliveryRow, key: Key) => boolean,
  ): [DeliveryRow, Key][] =>
    keys.flatMap((key): [DeliveryRow, Key][] => {
      const row = deliveries.get(keyOf(key));
      const isThere = row?.tenant === key.tenant && row.receivedAtMs === key.receivedAtMs;
      return row !== undefined && isThere && isMeant(row, key) ? [[row, key]] : [];
    });

  const isHeld = (row: DeliveryRow, { token }: HeldLease): boolean =>
    row.state === "parked" && row.dueAtMs !== null && row.token === token;

  const heldAt = (id: GateId, leases: readonly HeldLease[]) =>
    rowsAt(leases, (row, lease) => isHeld(row, lease) && isAt(id)(row));

  const logged = (row: DeliveryRow, { leasedAtMs }: HeldLease, error: string | null) =>
    [
      ...row.log,
      {
        ...{ number: row.attempts, at: new Date(leasedAtMs).toISOString(), status: null, error },
        durationMs: Math.max(0, clock.nowMs() - leasedAtMs),
        answer: error === null ? "acknowledged" : null,
      },
    ].slice(-20);

  const readyAt = (id: GateId, count: number): Ready[] =>
    waiting(id)
      .filter((row) => isDue(row) && isOfNow(row))
      .slice(0, count)
      .flatMap((row) => {
        const pointer = events.get(row.event)?.pointer;
        const tries = row.attempts - row.attemptsBase;
        if (pointer === undefined) return [];
        const waitedMs = clock.nowMs() - (row.dueAtMs ?? 0);
        const isLeft = row.token !== "" && tries > 0;
        return [{ ...row, replay: row.replay ?? null, tries, pointer, waitedMs, isLeft }];
      });

  return {
    ready: async (id, count) => readyAt(id, count),
    look: async (id, count) => ({
      revision: tenants.revision(id.tenant) ?? null,
      ready: readyAt(id, count),
    }),

    async lease(ready, token, leaseMs) {
      const free = rowsAt(
        ready,
        (row, { attempts }) => row.state === "parked" && isDue(row) && row.attempts === attempts,
      );
      return new Set(
        free.map(([row]) =>
          change(row, { token, dueAtMs: clock.nowMs() + leaseMs, attempts: row.attempts + 1 }),
        ),
      );
    },

    async giveBack(leases) {
      for (const [row] of rowsAt(leases, isHeld)) {
        change(row, { token: "", dueAtMs: clock.nowMs(), attempts: row.attempts - 1 });
      }
    },

    async acknowledge(id, leases) {
      return new Set(
        heldAt(id, leases).map(([row, lease]) => {
          const log = logged(row, lease, null);
          const settled = { dueAtMs: null, lastError: null, settledAtMs: clock.nowMs() };
          return change(row, { state: "delivered", ...settled, log });
        }),
      );
    },

    async refuse(id, leases, { reason, delayMs, attemptsMax }) {
      return new Set(
        heldAt(id, leases).map(([row, lease]) => {
          const log = logged(row, lease, reason);
          const common = { token: "", log };
          if (row.attempts - row.attemptsBase < attemptsMax) {
            return change(row, { ...common, dueAtMs: clock.nowMs() + delayMs, lastError: reason });
          }
          const lastError = `${reason}; attempts exhausted`;
          const settled = { dueAtMs: null, settledAtMs: clock.nowMs() };
          return change(row, { ...common, ...settled, state: "dead", lastError });
        }),
      );
    },

    async extend(id, leases, leaseMs) {
      const dueAtMs = clock.nowMs() + leaseMs;
      return new Set(heldAt(id, leases).map(([row]) => change(row, { dueAtMs })));
    },

    async standing(id, leases) {
      const found = rowsAt(leases, isAt(id));
      return new Map(
        found.flatMap(([{ state, token }, lease]) =>
          state === "unmatched"
            ? []
            : [[keyOfLease(lease), { state, isLast: token === lease.token }] as const],
        ),
      );
    },

    async bury(keys, by, reason) {
      const isFree = (row: DeliveryRow): boolean => isDue(row) || row.token === "";
      const meant = rowsAt(
        keys,
        (row) =>
          row.state === "parked" &&
          row.dueAtMs !== null &&
          (by === GATE || (by === NO_LEASE ? isFree(row) : row.token === by)),
      );
      for (const [row] of meant) {
        const settled = { dueAtMs: null, settledAtMs: clock.nowMs(), token: "" };
        change(row, { ...settled, state: "dead", lastError: reason });
      }
      return meant.length;
    },

    async backlog(id) {
      return [...Map.groupBy(waiting(id), ({ priority }) => priority)].map(
        ([priority, rows]): Backlog => {
          const late = rows.filter((row) => !isDue(row));
          const leased = late.filter(({ token }) => token !== "").length;
          return {
            ...{ priority, waiting: rows.length - late.length, leased },
            delayed: late.length - leased,
            oldestReceivedAtMs: Math.min(...rows.map(({ receivedAtMs }) => receivedAtMs)),
          };
        },
      );
    },

    async excess(id, backlogMax, count) {
      const bornAtMs = tenants.born(id.tenant)?.atMs ?? Number.POSITIVE_INFINITY;
      const own = waiting(id).filter(({ receivedAtMs }) => receivedAtMs >= bornAtMs);
      return own.slice(backlogMax, backlogMax + count);
    },

    async passOver(id, beforeMs, reason, count) {
      const old = waiting(id).filter(({ receivedAtMs }) => receivedAtMs < beforeMs);
      for (const row of old.slice(0, count)) {
        const settled = { dueAtMs: null, settledAtMs: clock.nowMs(), token: "" };
        change(row, { ...settled, state: "cancelled", lastError: `${SKIPPED}${reason}` });
      }
      return Math.min(count, old.length);
    },

    async owe(id, { fromMs, untilMs }, reason, after, count) {
      const from = after ?? { receivedAtMs: fromMs, event: "", subscription: "" };
      const page = [...deliveries.values()]
        .filter((row) => row.tenant === id.tenant && row.receivedAtMs < untilMs)
        .filter((row) => compare(row, from) > 0)
        .sort(compare)
        .slice(0, count);
      const meant = page.filter(
        (row) =>
          isAt(id)(row) &&
          (row.state === "delivered" ||
            (row.state === "cancelled" && row.lastError?.startsWith(SKIPPED) === true)),
      );
      for (const row of meant) {
        const anew = { attemptsBase: row.attempts, settledAtMs: clock.nowMs(), token: "" };
        const lastError = `${OWED_ANEW}${reason}`;
        change(row, { ...anew, state: "parked", dueAtMs: clock.nowMs(), lastError });
      }
      const last = page.length < count ? undefined : page.at(-1);
      const next =
        last === undefined
          ? null
          : {
              receivedAtMs: last.receivedAtMs,
              event: last.event,
              subscription: last.subscription,
            };
      return { owed: meant.length, next };
    },
  };
}

const compare = (a: SeekPosition, b: SeekPosition): number =>
  a.receivedAtMs - b.receivedAtMs ||
  textOrder(a.event, b.event) ||
  textOrder(a.subscription, b.subscription);

const textOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
