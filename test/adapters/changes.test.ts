/** What operators have changed since a claim, in both ledgers: told once in a round trip, and of nobody else. */
import { afterAll, describe, expect, it } from "vitest";
import { changesSince } from "../../src/core/changes.ts";
import { claim, costOf, freshTenant, freshToken, SUBJECTS } from "./ledgers.ts";

describe.each(SUBJECTS)("changes in $name", (subject) => {
  const { ledger } = subject;
  const changed = async (known: ReadonlyMap<string, number>) =>
    changesSince(known, (await ledger.changes(new Set(known.keys()))).standings);
  afterAll(() => subject.pauseQueue("bulk", false));

  it("are none of a tenant that is as it was", async () => {
    const tenant = freshTenant();
    const known = new Map([[tenant, await subject.prepare(tenant)]]);
    expect(await changed(known)).toEqual(new Map());
  });

  it("tell the revision that a claim would, of those alone that have another", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    const known = new Map([
      [tenant, await subject.prepare(tenant)],
      [other, await subject.prepare(other)],
    ]);
    const revision = await ledger.disableTarget(tenant, "sink", "gone");
    expect(await changed(known)).toEqual(new Map([[tenant, revision]]));
    const claimed = await claim(ledger, freshToken(), { tenants: [tenant] });
    expect(claimed.revisions.get(tenant)).toBe(revision);
  });

  it("tell that a tenant was deleted, and do not take one of its name for it", async () => {
    const tenant = freshTenant();
    const known = new Map([[tenant, await subject.prepare(tenant)]]);
    await subject.deleteTenant(tenant, `job-${tenant}`);
    const gone = new Map([[tenant, null]]);
    expect(await changed(known)).toEqual(gone);
    const anew = await subject.prepare(tenant);
    expect(await changed(known)).toEqual(gone);
    expect(await changed(new Map([[tenant, anew]]))).toEqual(new Map());
  });

  it("tell what is said of the queues, also of nobody's tenants", async () => {
    await subject.pauseQueue("bulk", true);
    const { controls, standings } = await ledger.changes(new Set());
    expect(controls.filter(({ isPaused }) => isPaused).map(({ queue }) => queue)).toEqual(["bulk"]);
    expect(controls).toEqual(await ledger.queueControls());
    expect(standings).toEqual(new Map());
  });
});

describe("changes", () => {
  it("cost one round trip and no row, however many tenants are known", async () => {
    const [real] = SUBJECTS;
    const tenants = Array.from({ length: 100 }, freshTenant);
    await real?.ensure(tenants);
    const asked = new Set(tenants);
    expect(await costOf(async () => real?.ledger.changes(asked))).toEqual({ rows: 0, trips: 1 });
  });
});
