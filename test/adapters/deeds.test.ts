/** The audit log in D1: with the change or before it, never without it, and forgotten in the end. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import { createDeeds, record } from "../../src/adapters/d1/deeds.ts";
import type { Session } from "../../src/adapters/d1/session.ts";
import type { DeedStart } from "../../src/core/deed.ts";
import { DEED_MS_MAX } from "../../src/core/operator-limits.ts";
import type { Deed } from "../../src/ports/deeds.ts";
import { freshTenant, session, vault } from "./ledgers.ts";

const deeds = createDeeds(session);
const ALL = { fromMs: 0, toMs: 2 ** 52 };
const TOLD = { name: "ann", reason: "it was time" };
let count = 0;

function startOf(tenant: string): DeedStart {
  count += 1;
  return {
    ...{ id: `act_${count}`, key: "key_1", action: "putTenantsTenant", tenant },
    resource: `/admin/tenants/${tenant}`,
  };
}

const deedsOf = async (tenant: string): Promise<readonly Deed[]> =>
  (await deeds.list({ ...ALL, tenant }, null, 100)).items;

/** A store whose changes are a deed's. */
function recorded(tenant: string, common: Session = session) {
  const { session: own, deed, note } = record(common, startOf(tenant));
  return { deed, own, config: createConfigStore(own, vault, undefined, note) };
}

/** A session that fails once it was asked for so many batches, after or before they were written. */
function failing(after: number): Session {
  let batches = 0;
  const batch: Session["batch"] = async (operation, statements) => {
    batches += 1;
    if (batches > after) throw new Error("gone");
    return session.batch(operation, statements);
  };
  return {
    batch,
    rows: async (operation, sql, params) => (await batch(operation, [{ sql, params }]))[0] ?? [],
  };
}

describe("a deed", () => {
  it("is written in one transaction with the first change, and says how it ended", async () => {
    const tenant = freshTenant();
    const { deed, config } = recorded(tenant);
    await deed.begin(TOLD, false);
    expect(await deedsOf(tenant)).toEqual([]);
    await config.putTenant(tenant, '{"limit":{"burst":5}}', null);
    const begun = { outcome: "begun", status: null, change: null };
    expect(await deedsOf(tenant)).toMatchObject([{ ...TOLD, ...begun, key: "key_1", tenant }]);
    await deed.end("done", 201);
    const [ended] = await deedsOf(tenant);
    expect(ended).toMatchObject({
      outcome: "done",
      status: 201,
      resource: `/admin/tenants/${tenant}`,
    });
    expect(ended?.change).toMatchObject({
      before: null,
      members: [{ path: "/limit/burst", to: 5 }],
    });
    const made = await config.tenant(tenant);
    expect(ended?.change?.after).toBe(made?.version);
    expect(ended?.atMs).toBeGreaterThanOrEqual(made?.createdAtMs ?? Number.POSITIVE_INFINITY);
  });

  it("takes no second row for what it changes further", async () => {
    const tenant = freshTenant();
    const { deed, config } = recorded(tenant);
    await deed.begin(TOLD, false);
    await config.putTenant(tenant, "{}", null);
    await config.putTenant(tenant, "{}", null);
    await deed.end("done", 200);
    expect(await deedsOf(tenant)).toHaveLength(1);
  });

  it("is there before what others change, and is not without it", async () => {
    const tenant = freshTenant();
    const { deed } = recorded(tenant);
    await deed.begin(TOLD, true);
    expect(await deedsOf(tenant)).toMatchObject([{ outcome: "begun" }]);
    const broken = recorded(freshTenant(), failing(0));
    await expect(broken.deed.begin(TOLD, true)).rejects.toThrow("gone");
  });

  it("stays as begun when its end cannot be written: its change is not without it", async () => {
    const tenant = freshTenant();
    const { deed, config } = recorded(tenant, failing(1));
    await deed.begin(TOLD, false);
    await config.putTenant(tenant, "{}", null);
    await expect(deed.end("done", 201)).rejects.toThrow("gone");
    expect(await deedsOf(tenant)).toMatchObject([{ outcome: "begun", status: null }]);
  });

  it("is not without its change: what fails as a transaction leaves neither", async () => {
    const tenant = freshTenant();
    const { deed, own } = recorded(tenant);
    await deed.begin(TOLD, false);
    const bad = [
      {
        sql: "INSERT INTO tenants (id, doc, revision, created_at, updated_at) VALUES (?1, '{}', 1, 1, 1)",
        params: [tenant],
      },
      { sql: "INSERT INTO tenants (id) VALUES (?1)", params: [tenant] },
    ];
    await expect(own.batch("test", bad)).rejects.toThrow();
    expect(await deedsOf(tenant)).toEqual([]);
  });

  it("that was refused before any change leaves nothing, and after it was begun its refusal", async () => {
    const tenant = freshTenant();
    const silent = recorded(tenant);
    await silent.deed.begin(TOLD, false);
    await silent.deed.end("refused", 404);
    expect(await deedsOf(tenant)).toEqual([]);
    const { deed, config } = recorded(tenant);
    await deed.begin(TOLD, false);
    expect(await config.putTenant(tenant, "{}", 7)).toMatchObject({ kind: "version-differs" });
    await deed.end("refused", 412);
    expect(await deedsOf(tenant)).toMatchObject([
      { outcome: "refused", status: 412, change: null },
    ]);
  });

  it("that only reads is none", async () => {
    const tenant = freshTenant();
    const { deed, config } = recorded(tenant);
    await config.tenant(tenant);
    await deed.end("done", 200);
    expect(await deedsOf(tenant)).toEqual([]);
  });

  it("says that secrets are others, and never which", async () => {
    const tenant = freshTenant();
    await createConfigStore(session, vault).putTenant(tenant, "{}", null);
    const put = async (values: string[]) => {
      const { deed, config } = recorded(tenant);
      await deed.begin(TOLD, false);
      await config.putResource(tenant, "source", "s", { doc: "{}", secrets: { values } }, null);
      await deed.end("done", 200);
    };
    await put(["s3cret-one"]);
    await put(["s3cret-one"]);
    await put(["s3cret-two"]);
    const members = (await deedsOf(tenant)).map(({ change }) =>
      change?.members.map(({ path }) => path),
    );
    expect(members).toEqual([["/secrets"], [], ["/secrets"]]);
    const { results } = await env.DB.prepare("SELECT * FROM deeds WHERE tenant = ?")
      .bind(tenant)
      .all();
    expect(JSON.stringify(results)).not.toContain("s3cret");
  });
});

describe("the log", () => {
  it("is in pages, newest first, by actor, action and time", async () => {
    const tenant = freshTenant();
    for (const name of ["ann", "bob", "ann"]) {
      const { deed } = recorded(tenant);
      await deed.begin({ name, reason: null }, true);
    }
    const first = await deeds.list({ ...ALL, tenant }, null, 2);
    expect(first.items.map(({ name }) => name)).toEqual(["ann", "bob"]);
    const rest = await deeds.list({ ...ALL, tenant }, first.next, 2);
    expect(rest).toMatchObject({ items: [{ name: "ann" }], next: null });
    const named = async (query: object) =>
      (await deeds.list({ ...ALL, tenant, ...query }, null, 10)).items.map(({ name }) => name);
    expect(await named({ actor: "bob" })).toEqual(["bob"]);
    expect(await named({ actor: "key_1" })).toHaveLength(3);
    expect(await named({ action: "putTenantsTenant" })).toHaveLength(3);
    expect(await named({ action: "deleteTenantsTenant" })).toEqual([]);
    const oldest = rest.items[0]?.atMs ?? 0;
    expect(await named({ toMs: oldest })).toEqual([]);
    expect(await named({ fromMs: oldest })).toHaveLength(3);
  });

  it("shows nothing that is older than the ledger, and forgets it as new deeds come", async () => {
    const tenant = freshTenant();
    const { deed } = recorded(tenant);
    await deed.begin(TOLD, true);
    const age = env.DB.prepare("UPDATE deeds SET at = at - ?2 WHERE tenant = ?1");
    await age.bind(tenant, DEED_MS_MAX + 1_000).run();
    expect(await deedsOf(tenant)).toEqual([]);
    const other = recorded(freshTenant());
    await other.deed.begin(TOLD, true);
    await other.deed.end("done", 200);
    const left = await env.DB.prepare("SELECT COUNT(*) AS n FROM deeds WHERE tenant = ?")
      .bind(tenant)
      .first("n");
    expect(left).toBe(0);
  });
});
