/** Versions of rules in D1: what a change keeps, what it does not, and how many. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createVersions } from "../../src/adapters/d1/versions.ts";
import { RULE_VERSIONS_MAX } from "../../src/core/limits.ts";
import { SAGA_VERSIONS_MAX } from "../../src/core/saga/limits.ts";
import { config, freshTenant, meter, SUBJECTS, session } from "./ledgers.ts";

const versions = createVersions(session, "rule");

async function tenantHere(): Promise<string> {
  const tenant = freshTenant();
  await config.putTenant(tenant, "{}", null);
  return tenant;
}

const put = (tenant: string, text: string, ifVersion: number | "any" | null = null) =>
  config.putResource(tenant, "rule", "r", { doc: `{"d":"${text}"}`, secrets: null }, ifVersion);

async function docsOf(tenant: string, rule = "r"): Promise<(string | null)[]> {
  const { items } = await versions.list(tenant, rule, null, 1_000);
  return items.map(({ doc }) => (doc === null ? null : JSON.parse(doc).d));
}

async function presentOf(tenant: string): Promise<number> {
  return (await config.resource(tenant, "rule", "r"))?.version ?? 0;
}

describe("a rule", () => {
  it("is kept as it was at each change, and at its end", async () => {
    const tenant = await tenantHere();
    await put(tenant, "a");
    await put(tenant, "b");
    await config.deleteResource(tenant, "rule", "r", null);
    await put(tenant, "c");
    expect(await docsOf(tenant)).toEqual(["c", null, "b", "a"]);
    const { items } = await versions.list(tenant, "r", null, 10);
    expect(items.map(({ isCurrent }) => isCurrent)).toEqual([true, false, false, false]);
    expect(items[0]?.version).toBe(await presentOf(tenant));
  });

  it("gets no version by a change that is refused, changes nothing or is not its own", async () => {
    const tenant = await tenantHere();
    expect(await put(tenant, "a", "any")).toMatchObject({ kind: "version-differs" });
    expect(await config.deleteResource(tenant, "rule", "r", null)).toEqual({ kind: "absent" });
    expect(await docsOf(tenant)).toEqual([]);
    await put(tenant, "a");
    expect(await put(tenant, "b", 7)).toMatchObject({ kind: "version-differs" });
    await put(tenant, "a");
    await config.deleteResource(tenant, "rule", "r", 7);
    await config.putResource(tenant, "target", "r", { doc: "{}", secrets: null }, null);
    await config.deleteResource(tenant, "target", "r", null);
    await config.putResource(tenant, "rule", "other", { doc: "{}", secrets: null }, null);
    expect(await docsOf(tenant)).toEqual(["a"]);
    await config.deleteResource(tenant, "rule", "r", null);
    await config.deleteResource(tenant, "rule", "r", null);
    expect(await docsOf(tenant)).toEqual([null, "a"]);
  });

  it("is found as it was at any revision of its tenant, and at none that is still to come", async () => {
    const tenant = await tenantHere();
    const before = (await config.tenant(tenant))?.revision ?? 0;
    await put(tenant, "a");
    const first = await presentOf(tenant);
    await config.putTenant(tenant, "{}", null);
    await put(tenant, "b");
    const last = await presentOf(tenant);
    expect(last).toBe(first + 2);
    const at = async (revision: number) => (await versions.at(tenant, "r", revision))?.version;
    expect(await Promise.all([first, first + 1, last].map(at))).toEqual([first, first, last]);
    expect(await Promise.all([before, 0, last + 1].map(at))).toEqual(Array(3).fill(undefined));
    await config.putTenant(tenant, "{}", null);
    expect(await at(last + 1)).toBe(last);
    expect(await versions.current(tenant, "r")).toMatchObject({ version: last, isCurrent: true });
  });

  it("is listed in pages that neither repeat nor leave out a version", async () => {
    const tenant = await tenantHere();
    for (const text of ["a", "b", "c", "d", "e"]) await put(tenant, text);
    const seen: (string | null)[] = [];
    let before: number | null = null;
    do {
      const page = await versions.list(tenant, "r", before, 2);
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ doc }) => doc));
      before = page.before;
    } while (before !== null);
    expect(seen).toEqual(["e", "d", "c", "b", "a"].map((text) => `{"d":"${text}"}`));
  });

  it(`has its newest ${RULE_VERSIONS_MAX} versions and loses those before`, async () => {
    const tenant = await tenantHere();
    const count = RULE_VERSIONS_MAX + 3;
    for (let at = 1; at <= count; at += 1) await put(tenant, String(at));
    const docs = await docsOf(tenant);
    expect(docs).toHaveLength(RULE_VERSIONS_MAX);
    expect([docs[0], docs.at(-1)]).toEqual([String(count), "4"]);
  });

  it("costs one row for each change, one more to lose an old one, and none for a change of nothing", async () => {
    const tenant = await tenantHere();
    const written = async (change: () => Promise<unknown>): Promise<number> => {
      const before = meter.read().d1_rows_written;
      await change();
      return meter.read().d1_rows_written - before;
    };
    await put(tenant, "a");
    const nothing = await written(() => put(tenant, "a"));
    expect(nothing).toBe(2); // the tenant's revision, and the rule
    expect(await written(() => put(tenant, "b"))).toBe(nothing + 1);
    for (let at = 2; at < RULE_VERSIONS_MAX; at += 1) await put(tenant, String(at));
    expect(await written(() => put(tenant, "c"))).toBe(nothing + 2);
  });

  it("has each of several changes made at once", async () => {
    const tenant = await tenantHere();
    const texts = Array.from({ length: 8 }, (_, at) => String(at));
    await Promise.all(texts.map((text) => put(tenant, text)));
    expect((await docsOf(tenant)).toSorted()).toEqual(texts);
  });
});

describe("a saga", () => {
  it("is kept as a rule is, the newest of its own, and a rule of its name is another's", async () => {
    const tenant = await tenantHere();
    const sagas = createVersions(session, "saga");
    const save = (doc: string) =>
      config.putResource(tenant, "saga", "r", { doc, secrets: null }, null);
    await put(tenant, "a");
    const count = SAGA_VERSIONS_MAX + 2;
    for (let at = 1; at <= count; at += 1) await save(`{"at":${at}}`);
    await config.deleteResource(tenant, "saga", "r", null);
    const { items } = await sagas.list(tenant, "r", null, 1_000);
    expect(items).toHaveLength(SAGA_VERSIONS_MAX);
    expect(items.slice(0, 2).map(({ doc }) => doc)).toEqual([null, `{"at":${count}}`]);
    const [, last] = items;
    expect(await sagas.at(tenant, "r", last?.version ?? 0)).toEqual(last);
    expect(await sagas.at(tenant, "r", 1)).toBeNull();
    expect(await docsOf(tenant)).toEqual(["a"]);
  });
});

describe("a tenant's versions", () => {
  it("are its own", async () => {
    const [tenant, other] = [await tenantHere(), await tenantHere()];
    await put(tenant, "a");
    const version = await presentOf(tenant);
    expect(await docsOf(other)).toEqual([]);
    expect(await versions.at(other, "r", version)).toBeNull();
  });

  it("end with its life, in which nobody sees those of the one before, and its job removes them", async () => {
    const [{ deletions }] = SUBJECTS as [(typeof SUBJECTS)[number]];
    const [tenant, other] = [await tenantHere(), await tenantHere()];
    for (const text of ["a", "b", "c"]) await put(tenant, text);
    await put(other, "kept");
    const keptAtMs = Date.now();
    await expect.poll(Date.now).toBeGreaterThan(keptAtMs);
    await config.deleteTenant(tenant, null, `job_${tenant}`);
    expect(await docsOf(tenant)).toEqual([]);
    await config.putTenant(tenant, "{}", null);
    expect(await docsOf(tenant)).toEqual([]);
    // The same document as before: a version of this life all the same.
    await put(tenant, "c");
    expect(await docsOf(tenant)).toEqual(["c"]);
    const remover = await deletions.remover();
    const deletion = (await deletions.running(1_000)).find(({ job }) => job === `job_${tenant}`);
    if (deletion === undefined) throw new Error("no job");
    expect(await remover.rows(deletion, 2)).toEqual({ removed: 2, more: true });
    expect(await remover.rows(deletion, 2)).toEqual({ removed: 1, more: false });
    const left = await env.DB.prepare(
      "SELECT tenant, doc FROM rule_versions WHERE tenant IN (?, ?) ORDER BY tenant = ?",
    )
      .bind(tenant, other, tenant)
      .all();
    expect(left.results).toEqual([
      { tenant: other, doc: '{"d":"kept"}' },
      { tenant, doc: '{"d":"c"}' },
    ]);
  });
});
