/** What is parked, in D1: for gates, and for targets that are closed. */
import type { ParkedTarget } from "../../core/gate/index.ts";
import { GATE_RELEASE_MS } from "../../core/gate-limits.ts";
import { QUEUES } from "../../core/priority.ts";
import { keyOf } from "../../ports/claim.ts";
import type { DueDelivery, Ledger } from "../../ports/ledger.ts";
import { compactKey } from "./claim.ts";
import { atKeys, inEachSlot, keysOf, readDue, type Statements } from "./delivery-rows.ts";
import * as parked from "./parked-statements.ts";
import { number, type Row, type Session, type Statement, text } from "./session.ts";
import { bySlot } from "./slots.ts";

/** Tenants with something open whose closed targets one pass looks at, each a seek in an index. */
const TENANTS_MAX = 10_000;

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

export function createParked(session: Session): Parked {
  async function targets(operation: string, statements: Statements, count: number) {
    const rows = await session.batch(operation, inEachSlot(statements, [count]));
    const found = new Map<string, ParkedTarget>();
    for (const row of rows.flat().map(readParkedTarget)) {
      // Of one target in several slots the more urgent counts, of equals the older.
      const name = `${row.tenant}/${row.target}`;
      const known = found.get(name) ?? row;
      const isBefore = row.rank - known.rank || row.oldestAtMs - known.oldestAtMs;
      found.set(name, isBefore < 0 ? row : known);
    }
    return [...found.values()].slice(0, count);
  }

  return {
    async takeParked(tenant, target, { count, retries }) {
      const params = [tenant, target, count];
      const first = (await session.rows("parked", parked.PARKED, params)).map(readParked);
      const again = first.filter(({ isRetry }) => isRetry);
      const tooMany = again.slice(retries);
      const fresh =
        tooMany.length === 0
          ? first.filter(({ isRetry }) => !isRetry)
          : (await session.rows("parked-fresh", parked.PARKED_FRESH, params)).map(readParked);
      const found = [...again.slice(0, retries), ...fresh].sort(byPlace).slice(0, count);
      const behind = found.length < count ? undefined : found.at(-1);
      const [next] = [...tooMany.slice(0, 1), ...(behind === undefined ? [] : [behind])].sort(
        byPlace,
      );
      const left = next?.priority ?? null;
      const areRetries = left !== null && behind === undefined;
      if (found.length === 0) return { taken: [], left, areRetries };
      const taking = atKeys(found, parked.TAKE_PARKED, GATE_RELEASE_MS);
      const taken = keysOf((await session.batch("take-parked", taking)).flat());
      return { taken: found.filter((delivery) => taken.has(keyOf(delivery))), left, areRetries };
    },

    parkedTargets: (count) => targets("parked-targets", parked.PARKED_TARGETS, count),
    closedTargets: (count) => targets("closed-targets", parked.CLOSED_TARGETS, count),

    async waiting(tenant, target, countMax) {
      const params = [tenant, target, countMax];
      const rows = (await session.batch("waiting", inEachSlot(parked.WAITING, params))).flat();
      const oldest = rows
        .flatMap((row) => [row.gated_at, row.closed_at])
        .filter((at) => at !== null)
        .map(number);
      if (oldest.length === 0) return null;
      const count = rows.reduce((sum, row) => sum + number(row.count), 0);
      return { count: Math.min(count, countMax), oldestAtMs: Math.min(...oldest) };
    },

    async buryClosedExcess(tenant, target, { countMax, reason }, count) {
      const params = [tenant, target, countMax, count];
      const excess = await session.rows("closed-excess", parked.CLOSED_EXCESS, params);
      const keys = excess.map((row) => ({
        ...{ tenant, receivedAtMs: number(row.received_at) },
        ...{ event: text(row.event), subscription: text(row.subscription) },
      }));
      const burying = bySlot(keys).map(([slot, own]): Statement => {
        const rows = JSON.stringify(own.map(compactKey));
        return { sql: parked.BURY_CLOSED_EXCESS[slot], params: [tenant, target, rows, reason] };
      });
      return (await session.batch("bury-closed-excess", burying)).flat().length;
    },

    async buryClosed(ageMs) {
      const open = await session.batch(
        "open-tenants",
        inEachSlot(parked.OPEN_TENANTS, [TENANTS_MAX]),
      );
      const tenants = JSON.stringify([...new Set(open.flat().map(({ tenant }) => text(tenant)))]);
      const params = [tenants, ageMs, parked.BURY_PARKED_PAGE];
      const buried = await session.batch("bury-closed", inEachSlot(parked.BURY_CLOSED, params));
      return buried.flat().length;
    },

    async buryParked(tenant, target, ageMs, spared) {
      const stays = spared === undefined ? 0 : spared === "leased" ? 1 : 2;
      const params = [tenant, target, ageMs, parked.BURY_PARKED_PAGE, stays];
      return (await session.batch("bury-parked", inEachSlot(parked.BURY_PARKED, params))).flat()
        .length;
    },
  };
}

const readParkedTarget = (row: Row): ParkedTarget => ({
  tenant: text(row.tenant),
  target: text(row.target),
  rank: number(row.rank),
  oldestAtMs: number(row.oldest_at),
});

const readParked = (row: Row) => ({ ...readDue(row), isRetry: number(row.is_retry) === 1 });

type Placed = Pick<DueDelivery, "priority" | "receivedAtMs">;
const byPlace = (one: Placed, other: Placed): number =>
  QUEUES.indexOf(one.priority) - QUEUES.indexOf(other.priority) ||
  one.receivedAtMs - other.receivedAtMs;
