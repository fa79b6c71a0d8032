/** What operators have changed since a claim, in both ledgers: told once in a round trip, and of nobody else. */
import { afterAll, describe, expect, it } from "vitest";
import { claim, costOf, freshTenant, freshToken, SUBJECTS } from "./ledgers.ts";

describe.each(SUBJECTS)("changes in $name", (subject) => {
  const { ledger } = subject;
  afterAll(() => subject.pauseQueue("bulk", false));

  it("are none of a tenant that is as it was", async () => {
    const tenant = freshTenant();
    const known = new Map([[tenant, await subject.prepare(tenant)]]);
    expect((await ledger.changes(known)).revisions).toEqual(new Map());
  });

  it("tell the revision that a claim would, of those alone that have another", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    const known = new Map([
      [tenant, await subject.prepare(tenant)],
      [other, await subject.prepare(other)],
    ]);
    const revision = await ledger.disableTarget(tenant, "sink", "gone");
    const { revisions } = await ledger.changes(known);
    expect(revisions).toEqual(new Map([[tenant, revision]]));
    const claimed = await claim(ledger, freshToken(), { tenants: [tenant] });
    expect(claimed.revisions.get(tenant)).toBe(revision);
  });

  it("tell that a tenant was deleted, and do not take one of its name for it", async () => {
    const tenant = freshTenant();
    const known = new Map([[tenant, await subject.prepare(tenant)]]);
    await subject.deleteTenant(tenant, `job-${tenant}`);
    const gone = new Map([[tenant, null]]);
    expect((await ledger.changes(known)).revisions).toEqual(gone);
    const anew = await subject.prepare(tenant);
    expect((await ledger.changes(known)).revisions).toEqual(gone);
    expect((await ledger.changes(new Map([[tenant, anew]]))).revisions).toEqual(new Map());
  });

  it("tell what is said of the queues, also of nobody's tenants", async () => {
    await subject.pauseQueue("bulk", true);
    const { controls, revisions } = await ledger.changes(new Map());
    expect(controls.filter(({ isPaused }) => isPaused).map(({ queue }) => queue)).toEqual(["bulk"]);
    expect(controls).toEqual(await ledger.queueControls());
    expect(revisions).toEqual(new Map());
  });
});

describe("changes", () => {
  it("cost one round trip and no row, however many tenants are known", async () => {
    const [real] = SUBJECTS;
    const tenants = Array.from({ length: 100 }, freshTenant);
    await real?.ensure(tenants);
    const known = new Map(tenants.map((tenant) => [tenant, 1]));
    expect(await costOf(async () => real?.ledger.changes(known))).toEqual({ rows: 0, trips: 1 });
  });
});
