/** What the expiry of a generation costs in D1, and what it leaves of the tables. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { expire } from "../../src/adapters/d1/expire.ts";
import { createLedger } from "../../src/adapters/d1/ledger.ts";
import type { Session } from "../../src/adapters/d1/session.ts";
import { expiryAt } from "../../src/core/generation.ts";
import { GENERATION_MS } from "../../src/core/limits.ts";
import { claimFirsts, costOf, ENDED, firstOf, freshToken, resultOf, session } from "./ledgers.ts";

const ledger = createLedger(session);
const EVENTS = 200;
let latest = 20_000;

/** A moment at which a generation of `count` delivered events, and nothing else, is let go of. */
async function delivered(count: number): Promise<number> {
  latest += 3;
  const atMs = latest * GENERATION_MS;
  await ledger.expire(atMs - 3 * GENERATION_MS);
  const token = freshToken();
  const receivedAtMs = atMs - GENERATION_MS - 1;
  const firsts = Array.from({ length: count }, () => firstOf({ receivedAtMs }));
  await claimFirsts(ledger, token, firsts, ENDED);
  const copies = firsts.map(({ id: event }) => {
    return { event, receipt: "rcp_copy", receivedAtMs, reason: "duplicate" };
  });
  await ledger.settle(
    token,
    firsts.map((first) => resultOf(first)),
    copies,
  );
  return atMs;
}

async function definitions(): Promise<unknown[]> {
  const query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name";
  return (await env.DB.prepare(query).all()).results;
}

describe("letting go of a generation in D1", () => {
  it("writes as many rows for two hundred events as for none, in two round trips", async () => {
    const none = await delivered(0);
    const empty = await costOf(() => ledger.expire(none));
    const full = await delivered(EVENTS);
    expect(await costOf(() => ledger.expire(full))).toEqual(empty);
    expect(empty.trips).toBe(2);
    // What stands in the schema of a slot's tables and indexes, and no row of theirs.
    expect(empty.rows).toBe(106);
  });

  it("that is gone already costs one round trip and no row", async () => {
    const atMs = await delivered(0);
    await ledger.expire(atMs);
    expect(await costOf(() => ledger.expire(atMs))).toEqual({ rows: 0, trips: 1 });
  });

  it("leaves tables and indexes as the migrations made them, in every slot", async () => {
    const before = await definitions();
    const slots = new Set<number>();
    for (let generation = 0; generation < 3; generation += 1) {
      const atMs = (await delivered(1)) + GENERATION_MS * generation;
      await ledger.expire(atMs);
      slots.add(expiryAt(atMs).slot);
      latest += 3;
    }
    expect(slots.size).toBe(3);
    expect(await definitions()).toEqual(before);
  });

  it("is refused whole when a migration changes the tables meanwhile, and done by the next pass", async () => {
    const atMs = await delivered(1);
    const { slot } = expiryAt(atMs);
    let calls = 0;
    const migrating: Session = {
      ...session,
      async batch(operation, statements) {
        calls += 1;
        // An index, since a column more would make the copying fail by itself.
        if (calls === 2) await env.DB.exec(`CREATE INDEX more ON events_${slot} (type)`);
        return session.batch(operation, statements);
      },
    };
    await expect(expire(migrating, atMs)).rejects.toThrow("expire: D1_ERROR");
    const changed = await definitions();
    expect(changed).toContainEqual(expect.objectContaining({ name: "more" }));
    expect(await ledger.expire(atMs)).toMatchObject({ dropped: 1 });
    expect(await definitions()).toEqual(changed);
    await env.DB.exec("DROP INDEX more");
  });
});
