/** Configuration in D1: what a write answers about what was there before. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { written } from "../../routes/admin/change.ts";
import { Refusal } from "../../routes/admin/operation.ts";
import { perform } from "../../routes/admin/run.ts";
import { sourceOperations } from "../../routes/admin/sources.ts";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import { consoleLog } from "../../src/adapters/system.ts";
import type { ConfigStore, IfVersion } from "../../src/ports/config.ts";
import { config, freshTenant, meter, session, vault } from "./ledgers.ts";

const document = { doc: "{}", secrets: null };

afterEach(() => {
  vi.useRealTimers();
});

describe("a write of configuration", () => {
  it("is told to have created only what was not there, however quickly it is repeated", async () => {
    const tenant = freshTenant();
    const puts = () =>
      Promise.all(Array.from({ length: 8 }, () => config.putTenant(tenant, "{}", null)));
    expect(await createdBy(puts)).toBe(1);
    const sinks = () =>
      Promise.all(
        Array.from({ length: 8 }, () =>
          config.putResource(tenant, "target", "sink", document, null),
        ),
      );
    expect(await createdBy(sinks)).toBe(1);
    expect(await createdBy(sinks)).toBe(0);
  });

  it("gives a new tenant the database's time as its revision, not a Worker's, and creates it once", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 5_000 });
    const tenant = freshTenant();
    const created = await config.putTenant(tenant, "{}", null);
    const revision = created.kind === "written" ? created.revision : 0;
    expect(revision).toBeGreaterThan(Date.UTC(2026, 0, 1));
    expect(created).toMatchObject({ created: true });
    expect(await config.tenant(tenant)).toMatchObject({ createdAtMs: revision });
    const again = await config.putTenant(tenant, "{}", null);
    expect(again).toEqual({ kind: "written", created: false, revision: revision + 1 });
  });

  it("creates anew what was deleted", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    for (let turn = 0; turn < 2; turn += 1) {
      const written = await config.putResource(tenant, "rule", "all", document, null);
      expect(written).toMatchObject({ kind: "written", created: true });
      await config.deleteResource(tenant, "rule", "all", null);
    }
  });

  it("is not called a failure when what was sealed there before is damaged", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    const sealed = { doc: "{}", secrets: { values: ["whsec_1"] } };
    await config.putResource(tenant, "target", "sink", sealed, null);
    await session.rows(
      "damage",
      "UPDATE resources SET sealed = 'v0.damaged' WHERE tenant = ?1 RETURNING id",
      [tenant],
    );
    const again = await config.putResource(tenant, "target", "sink", sealed, null);
    expect(again).toMatchObject({ kind: "written", created: false });
  });

  it("is refused where another version is there, or none, and says which", async () => {
    const tenant = freshTenant();
    const at = (ifVersion: number | null) =>
      config.putResource(tenant, "target", "sink", document, ifVersion);
    expect(await at(null)).toEqual({ kind: "tenant-unknown" });
    expect(await config.putTenant(tenant, "{}", 7)).toEqual({
      kind: "version-differs",
      version: null,
    });
    await config.putTenant(tenant, "{}", null);
    expect(await at(7)).toEqual({ kind: "version-differs", version: null });
    const written = await at(null);
    const version = written.kind === "written" ? written.revision : 0;
    expect(await at(version - 1)).toEqual({ kind: "version-differs", version });
    expect(await config.deleteResource(tenant, "target", "sink", 7)).toEqual({
      kind: "version-differs",
      version,
    });
    expect(await at(version)).toMatchObject({ kind: "written", created: false });
  });
});

describe("a change that is refused", () => {
  const three = createConfigStore(session, vault, 3);

  it("leaves the tenant's revision and time as they were", async () => {
    const tenant = freshTenant();
    await three.putTenant(tenant, "{}", null);
    for (const rule of ["a", "b", "c"])
      await three.putResource(tenant, "rule", rule, document, null);
    const before = await three.tenant(tenant);
    const put = (rule: string, ifVersion: IfVersion | "none") =>
      three.putResource(tenant, "rule", rule, document, ifVersion);
    const refused = [
      ...[await put("a", 7), await put("a", "none"), await put("d", null), await put("d", "any")],
      await three.putResource(tenant, "target", "sink", document, 7),
      await three.deleteResource(tenant, "rule", "a", 7),
      await three.deleteResource(tenant, "rule", "d", null),
      await three.deleteResource(tenant, "target", "sink", "any"),
    ];
    expect(refused.map(({ kind }) => kind)).toEqual([
      ...["version-differs", "version-differs", "too-many-rules", "version-differs"],
      ...["version-differs", "version-differs", "absent", "absent"],
    ]);
    expect(await three.tenant(tenant)).toEqual(before);
    expect(await three.deleteResource(tenant, "rule", "a", "any")).toMatchObject({
      ...{ kind: "written", revision: (before?.revision ?? 0) + 1 },
    });
  });
});

describe("rules of a tenant that has as many as it may", () => {
  const three = createConfigStore(session, vault, 3);
  const put = (tenant: string, rule: string, ifVersion: number | "any" | null = null) =>
    three.putResource(tenant, "rule", rule, document, ifVersion);
  const full = { kind: "too-many-rules", rulesMax: 3 };

  async function fullTenant(): Promise<string> {
    const tenant = freshTenant();
    await three.putTenant(tenant, "{}", null);
    for (const rule of ["a", "b", "c"]) await put(tenant, rule);
    return tenant;
  }

  async function counted(tenant: string): Promise<unknown> {
    const sql = `SELECT rules, (SELECT COUNT(*) FROM resources WHERE tenant = ?1 AND kind = 'rule') AS there
      FROM tenants WHERE id = ?1`;
    return env.DB.prepare(sql).bind(tenant).first();
  }

  it("are refused when they are new, and nothing is left of them", async () => {
    const tenant = await fullTenant();
    expect(await put(tenant, "d")).toEqual(full);
    expect(await put(tenant, "e")).toEqual(full);
    expect(await three.resource(tenant, "rule", "d")).toBeNull();
    const versions = await env.DB.prepare("SELECT DISTINCT id FROM rule_versions WHERE tenant = ?")
      .bind(tenant)
      .all();
    expect(versions.results.map(({ id }) => id).sort()).toEqual(["a", "b", "c"]);
    expect(await counted(tenant)).toEqual({ rules: 3, there: 3 });
  });

  it("are refused by a problem that says how many there may be", async () => {
    const refused = await put(await fullTenant(), "d");
    let problem: unknown;
    try {
      written(refused, "rule");
    } catch (error) {
      problem = error instanceof Refusal ? error.problem : error;
    }
    expect(problem).toMatchObject({ slug: "too-many-rules", extensions: { rulesMax: 3 } });
  });

  it("are replaced, and targets are added", async () => {
    const tenant = await fullTenant();
    expect(await put(tenant, "a")).toMatchObject({ kind: "written", created: false });
    expect(await put(tenant, "a", "any")).toMatchObject({ kind: "written", created: false });
    const sink = await three.putResource(tenant, "target", "sink", document, null);
    expect(sink).toMatchObject({ kind: "written", created: true });
    expect(await counted(tenant)).toEqual({ rules: 3, there: 3 });
  });

  it("may be new again once one is deleted, and only then", async () => {
    const tenant = await fullTenant();
    expect(await three.deleteResource(tenant, "rule", "z", null)).toEqual({ kind: "absent" });
    expect(await three.deleteResource(tenant, "rule", "a", 7)).toMatchObject({
      kind: "version-differs",
    });
    expect(await put(tenant, "d")).toEqual(full);
    expect(await three.deleteResource(tenant, "rule", "a", "any")).toMatchObject({
      kind: "written",
    });
    expect(await put(tenant, "d")).toMatchObject({ kind: "written", created: true });
    expect(await put(tenant, "a")).toEqual(full);
    expect(await counted(tenant)).toEqual({ rules: 3, there: 3 });
  });

  it("are counted once, however many are put at the same moment", async () => {
    const tenant = freshTenant();
    await three.putTenant(tenant, "{}", null);
    const names = ["a", "b", "c", "d", "e", "a", "b", "c"];
    await Promise.all(names.map((name) => put(tenant, name)));
    expect(await counted(tenant)).toEqual({ rules: 3, there: 3 });
  });

  it("are not counted for one that has to be there and is not", async () => {
    const tenant = await fullTenant();
    expect(await put(tenant, "d", 7)).toEqual({ kind: "version-differs", version: null });
    expect(await put(tenant, "d", "any")).toEqual({ kind: "version-differs", version: null });
    expect(await counted(tenant)).toEqual({ rules: 3, there: 3 });
  });

  it("cost a write no more rows to read than one of a tenant without rules", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    const readBy = async (rule: string): Promise<number> => {
      const before = meter.read().d1_rows_read;
      await config.putResource(tenant, "rule", rule, document, null);
      return meter.read().d1_rows_read - before;
    };
    const first = await readBy("first");
    for (let at = 0; at < 30; at += 1)
      await config.putResource(tenant, "rule", `r${at}`, document, null);
    expect(await readBy("last")).toBeLessThanOrEqual(first);
  });
});

/** How many of these writes say that they created something. */
async function createdBy(writes: () => Promise<unknown[]>): Promise<number> {
  return (await writes()).filter((written) => (written as { created: boolean }).created).length;
}

describe("a rule that was stored with a target twice", () => {
  it("sends to it once", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    const pattern = { type: ["order.paid"] };
    const body = { pattern, priority: "normal", targets: ["mail", "crm", "mail"] };
    const doc = { doc: JSON.stringify(body), secrets: null };
    await config.putResource(tenant, "rule", "twice", doc, null);
    const loaded = await createTenantStore(session, vault, consoleLog).load(tenant);
    expect(loaded?.rules.get("twice")?.targets).toEqual(["mail", "crm"]);
  });
});

describe("a change that the limiter does not hear of", () => {
  it("is announced again behind the answer: its repeat finds nothing to change", async () => {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    await config.putResource(tenant, "source", "open", document, null);
    const remove = sourceOperations.find(({ method }) => method === "delete");
    if (remove === undefined) throw new Error("sources can be deleted");
    const pausesMs: number[] = [];
    const clock = {
      timer(ms: number) {
        pausesMs.push(ms);
        return { elapsed: Promise.resolve() };
      },
    };
    const told: number[] = [];
    let failures = 5;
    async function announce(_: string, revision: number): Promise<void> {
      failures -= 1;
      if (failures >= 0) throw new Error("away");
      told.push(revision);
    }
    const log = { ...consoleLog, warn() {} };
    const deliver = { directory: { forget() {} }, limiter: { announce }, clock, log };
    const later: Promise<unknown>[] = [];
    const call = {
      ...{ app: { deliver }, stores: { config, deed: null }, ifVersion: null },
      ...{ params: { tenant, source: "open" }, told: { name: null, reason: null } },
      defer: (work: Promise<unknown>) => void later.push(work),
    } as unknown as Parameters<typeof perform>[2];
    const removed = (): Promise<unknown> =>
      perform(remove, { value: {}, duplicates: [] }, call).catch((error: unknown) => error);

    expect(await removed()).toMatchObject({
      problem: { slug: "unavailable", detail: expect.stringContaining("is saved") },
    });
    const revision = (await config.tenant(tenant))?.revision;
    expect(await removed()).toMatchObject({ problem: { slug: "not-found" } });
    await Promise.all(later);
    expect(told).toEqual([revision]);
    expect(pausesMs).toEqual([100, 200, 1_000, 2_000, 4_000]);
  });
});

describe("a PUT of a source that leaves its secrets out", () => {
  const verify = { scheme: "api-key", header: "x-key" };
  const doc = JSON.stringify({ verify });
  const rotate = (tenant: string, key: string) =>
    config.putResource(tenant, "source", "open", { doc, secrets: { values: [key] } }, null);

  /** `meanwhile` runs before each of its writes. */
  async function put(tenant: string, ifVersion: IfVersion, meanwhile: () => Promise<unknown>) {
    const put = sourceOperations.find(({ method }) => method === "put");
    if (put === undefined) throw new Error("sources can be put");
    const overtaken: ConfigStore = {
      ...config,
      async putResource(...asked) {
        await meanwhile();
        return config.putResource(...asked);
      },
    };
    const deliver = {
      directory: { forget() {} },
      limiter: { announce: async () => {}, secretsLastUsed: async () => ({}) },
      clock: { nowMs: () => 0 },
    };
    const call = {
      ...{ app: { deliver }, stores: { config: overtaken, deed: null } },
      ...{ params: { tenant, source: "open" }, told: { name: null, reason: null }, ifVersion },
    } as unknown as Parameters<typeof perform>[2];
    const value = { verify, bytesMax: 9_000 };
    return perform(put, { value, duplicates: [] }, call);
  }

  async function tenantWithSource(): Promise<string> {
    const tenant = freshTenant();
    await config.putTenant(tenant, "{}", null);
    await rotate(tenant, "key-0");
    return tenant;
  }

  it.each<[string, IfVersion]>([
    ["names no version", null],
    ["takes any version", "any"],
  ])("and %s keeps those that another rotated to meanwhile", async (_, ifVersion) => {
    const tenant = await tenantWithSource();
    let rotations = 0;
    const reply = await put(tenant, ifVersion, async () => {
      if (rotations === 0) await rotate(tenant, `key-${++rotations}`);
    });
    expect(reply).toMatchObject({ status: 200, body: { bytesMax: 9_000 } });
    expect((await config.resource(tenant, "source", "open"))?.secrets?.values).toEqual(["key-1"]);
  });

  it("is refused with nothing saved when others always come first", async () => {
    const tenant = await tenantWithSource();
    let rotations = 0;
    const refused = put(tenant, null, () => rotate(tenant, `key-${++rotations}`));
    await expect(refused).rejects.toMatchObject({
      problem: { slug: "unavailable", detail: expect.stringContaining("nothing was saved") },
    });
    expect(rotations).toBe(5);
    const stored = await config.resource(tenant, "source", "open");
    expect(stored).toMatchObject({ doc, secrets: { values: ["key-5"] } });
  });

  it("is refused by its If-Match, and does not begin anew", async () => {
    const tenant = await tenantWithSource();
    const version = (await config.resource(tenant, "source", "open"))?.version ?? 0;
    let rotations = 0;
    const refused = put(tenant, version, () => rotate(tenant, `key-${++rotations}`));
    await expect(refused).rejects.toMatchObject({ problem: { slug: "precondition-failed" } });
    expect(rotations).toBe(1);
  });

  it("does not give those of a deleted source to a new one", async () => {
    const tenant = await tenantWithSource();
    const refused = put(tenant, null, () => config.deleteResource(tenant, "source", "open", null));
    await expect(refused).rejects.toMatchObject({ problem: { slug: "validation-failed" } });
    expect(await config.resource(tenant, "source", "open")).toBeNull();
  });
});
