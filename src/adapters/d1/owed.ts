/** What is owed, in D1: what is due, buried or released, whose leases end, and what an old generation leaves. */
import type { Ledger } from "../../ports/ledger.ts";
import { atKeys, inEachSlot, readDue } from "./delivery-rows.ts";
import { expire } from "./expire.ts";
import * as owed from "./owed-statements.ts";
import { createParked } from "./parked.ts";
import { number, type Session, text } from "./session.ts";

/** Paced redrives go out this long ahead: the time between two sweeps and a little more. */
const PACED_HORIZON_MS = 75_000;

type Owed = ReturnType<typeof createParked> &
  Pick<
    Ledger,
    "due" | "putOff" | "bury" | "release" | "openings" | "recover" | "expire" | "disableTarget"
  >;

export function createOwed(session: Session): Owed {
  return {
    ...createParked(session),

    async due(horizonMs, count) {
      const params = [horizonMs, count, PACED_HORIZON_MS];
      return (await session.rows("due", owed.DUE, params)).map(readDue);
    },

    async putOff(keys, byMs) {
      await session.batch("put-off", atKeys(keys, owed.PUT_OFF, byMs));
    },

    async bury(keys, reason) {
      await session.batch("bury", atKeys(keys, owed.BURY, reason));
    },

    async release(tenant, target) {
      const [seen] = await session.rows("opening", owed.OPENING, [tenant, target]);
      const params = [tenant, target, owed.RELEASE_PAGE];
      for (let released = 0; ; ) {
        const pages = await session.batch("release", inEachSlot(owed.RELEASE, params));
        released += pages.flat().length;
        if (pages.some((rows) => rows.length === owed.RELEASE_PAGE)) continue;
        if (seen !== undefined) {
          const version = number(seen.version);
          await session.rows("end-opening", owed.END_OPENING, [tenant, target, version]);
        }
        return released;
      }
    },

    async openings(count) {
      const rows = await session.rows("openings", owed.OPENINGS, [count]);
      return rows.map((row) => ({ tenant: text(row.tenant), target: text(row.target) }));
    },

    async recover(isolate) {
      await session.batch("recover", [
        ...inEachSlot(owed.END_EVENT_LEASES, [isolate]),
        ...inEachSlot(owed.END_DELIVERY_LEASES, [isolate]),
      ]);
    },

    expire: (nowMs) => expire(session, nowMs),

    async disableTarget(tenant, target, reason, version) {
      const [, rows] = await session.batch("disable-target", [
        { sql: owed.BUMP_REVISION, params: [tenant] },
        { sql: owed.DISABLE_TARGET, params: [tenant, target, reason, version ?? null] },
      ]);
      const revision = rows?.[0]?.version;
      return revision === undefined ? null : number(revision);
    },
  };
}
