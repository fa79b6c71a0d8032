/** What an isolate knows of tenants: read once, shared, never older than it was told. */
import { beforeEach, describe, expect, it } from "vitest";
import { DIRECTORY_TENANTS_MAX, UNKNOWN_TENANT_TTL_MS } from "../../src/core/limits.ts";
import type { Tenant } from "../../src/core/tenant.ts";
import { createDirectory, type Directory } from "../../src/flows/directory.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { createMemoryTenants, type MemoryTenants, tenantOf } from "../support/memory-tenants.ts";

let clock: FakeClock;
let tenants: MemoryTenants;
let directory: Directory;

beforeEach(() => {
  clock = createFakeClock();
  tenants = createMemoryTenants();
  directory = createDirectory(tenants, clock);
});

/** A store whose reads end when the test says so. */
function slowStore() {
  const reads: PromiseWithResolvers<Tenant | null>[] = [];
  const store = {
    load: () => {
      const read = Promise.withResolvers<Tenant | null>();
      reads.push(read);
      return read.promise;
    },
  };
  return { reads, directory: createDirectory(store, clock) };
}

const acme = (revision: number): Tenant => tenantOf("acme", revision, {});

describe("a known tenant", () => {
  it("is read once, however often it is asked for", async () => {
    const tenant = tenants.put("acme", {});
    expect(await directory.get("acme")).toBe(tenant);
    await clock.advance(3_600_000);
    expect(await directory.get("acme")).toBe(tenant);
    expect(await directory.at("acme", tenant.revision)).toBe(tenant);
    expect(tenants.loads).toEqual(["acme"]);
  });

  it("is read again for a newer revision, and only then", async () => {
    tenants.put("acme", {});
    await directory.get("acme");
    const changed = tenants.put("acme", { targets: { pager: {} } });
    expect(await directory.at("acme", changed.revision)).toBe(changed);
    expect(await directory.get("acme")).toBe(changed);
    expect(tenants.loads).toEqual(["acme", "acme"]);
  });

  it("is not read again for an older revision than it has: a lease from before the change", async () => {
    const first = tenants.put("acme", {});
    const changed = tenants.put("acme", {});
    await directory.get("acme");
    expect(await directory.at("acme", first.revision)).toBe(changed);
    expect(tenants.loads).toEqual(["acme"]);
  });

  it("that was deleted is gone with the revision that says so", async () => {
    const tenant = tenants.put("acme", {});
    await directory.get("acme");
    tenants.delete("acme");
    expect(await directory.get("acme")).toBe(tenant);
    expect(await directory.at("acme", tenant.revision + 1)).toBeNull();
    expect(await directory.get("acme")).toBeNull();
  });

  it("is read again after it was forgotten", async () => {
    tenants.put("acme", {});
    await directory.get("acme");
    const changed = tenants.put("acme", {});
    directory.forget("acme");
    expect(await directory.get("acme")).toBe(changed);
  });
});

describe("an unknown tenant", () => {
  it("is not read again within its time", async () => {
    for (let asked = 0; asked < 100; asked += 1) expect(await directory.get("nobody")).toBeNull();
    await clock.advance(UNKNOWN_TENANT_TTL_MS - 1);
    expect(await directory.get("nobody")).toBeNull();
    expect(tenants.loads).toEqual(["nobody"]);
  });

  it("is found when it is created, after that time", async () => {
    await directory.get("acme");
    const tenant = tenants.put("acme", {});
    await clock.advance(UNKNOWN_TENANT_TTL_MS);
    expect(await directory.get("acme")).toBe(tenant);
  });

  it("is found at once by whoever was told a revision", async () => {
    await directory.get("acme");
    const tenant = tenants.put("acme", {});
    expect(await directory.at("acme", tenant.revision)).toBe(tenant);
  });
});

describe("a clock that is set back", () => {
  let offsetMs: number;
  beforeEach(() => {
    offsetMs = 0;
    const wandering = { ...clock, nowMs: () => clock.nowMs() + offsetMs };
    directory = createDirectory(tenants, wandering);
  });

  it("keeps no name unknown until it has caught up", async () => {
    expect(await directory.get("acme")).toBeNull();
    offsetMs = -3_600_000;
    const tenant = tenants.put("acme", {});
    expect(await directory.get("acme")).toBe(tenant);
  });

  it("has a tenant read anew when that is asked for, and then no more often than before", async () => {
    tenants.put("acme", {});
    await directory.get("acme");
    offsetMs = -3_600_000;
    const changed = tenants.put("acme", {});
    expect(await directory.refresh("acme")).toBe(changed);
    expect(await directory.refresh("acme")).toBe(changed);
    expect(tenants.loads).toEqual(["acme", "acme"]);
  });
});

describe("a read", () => {
  it("serves all who ask while it is under way", async () => {
    const { reads, directory: slow } = slowStore();
    const asked = [slow.get("acme"), slow.get("acme"), slow.at("acme", 1), slow.refresh("acme")];
    reads[0]?.resolve(acme(1));
    const answers = await Promise.all(asked);
    expect(answers.map((tenant) => tenant?.revision)).toEqual([1, 1, 1, 1]);
    expect(reads).toHaveLength(1);
  });

  it("of one tenant does not wait for that of another", async () => {
    const { reads, directory: slow } = slowStore();
    void slow.get("slow");
    const quick = slow.get("acme");
    reads[1]?.resolve(acme(1));
    expect((await quick)?.id).toBe("acme");
  });

  it("that was under way when the tenant was forgotten is not kept: it may be older", async () => {
    const { reads, directory: slow } = slowStore();
    const before = slow.get("acme");
    slow.forget("acme");
    const after = slow.get("acme");
    reads[1]?.resolve(acme(2));
    reads[0]?.resolve(acme(1));
    expect([(await before)?.revision, (await after)?.revision]).toEqual([1, 2]);
    expect((await slow.get("acme"))?.revision).toBe(2);
    expect(reads).toHaveLength(2);
  });

  it("that fails is heard by who began it; those who wait share another one", async () => {
    const { reads, directory: slow } = slowStore();
    const [first, second, third] = [slow.get("acme"), slow.get("acme"), slow.get("acme")];
    reads[0]?.reject(new Error("no store"));
    await expect(first).rejects.toThrow("no store");
    expect(reads).toHaveLength(2);
    reads[1]?.resolve(acme(1));
    expect([(await second)?.revision, (await third)?.revision]).toEqual([1, 1]);
  });

  it("that fails leaves nothing behind: the next one asks again", async () => {
    const { reads, directory: slow } = slowStore();
    const failed = slow.get("acme");
    reads[0]?.reject(new Error("no store"));
    await expect(failed).rejects.toThrow("no store");
    const again = slow.get("acme");
    reads[1]?.resolve(acme(1));
    expect((await again)?.revision).toBe(1);
  });

  it("whose request has died is begun anew by one who waited, for all, and then known", async () => {
    const { reads, directory: slow } = slowStore();
    void slow.get("acme"); // never answered
    const others = [slow.get("acme"), slow.get("acme")];
    await clock.advance(2_000);
    expect(reads).toHaveLength(2);
    reads[1]?.resolve(acme(1));
    expect((await Promise.all(others)).map((tenant) => tenant?.revision)).toEqual([1, 1]);
    expect((await slow.get("acme"))?.revision).toBe(1);
    expect(reads).toHaveLength(2);
  });
});

describe("memory", () => {
  it("is bounded: the tenant that was read longest ago is forgotten first", async () => {
    for (let each = 0; each <= DIRECTORY_TENANTS_MAX; each += 1) tenants.put(`t${each}`, {});
    for (let each = 0; each < DIRECTORY_TENANTS_MAX; each += 1) await directory.get(`t${each}`);
    await directory.at("t0", Number.MAX_SAFE_INTEGER);
    await directory.get(`t${DIRECTORY_TENANTS_MAX}`);
    tenants.loads.length = 0;
    await directory.get("t0");
    await directory.get("t2");
    expect(tenants.loads).toEqual([]);
    await directory.get("t1");
    expect(tenants.loads).toEqual(["t1"]);
  });

  it("of tenants is not taken by made-up names", async () => {
    tenants.put("acme", {});
    await directory.get("acme");
    for (let each = 0; each <= DIRECTORY_TENANTS_MAX; each += 1) await directory.get(`no${each}`);
    tenants.loads.length = 0;
    await directory.get("acme");
    expect(tenants.loads).toEqual([]);
  });
});
