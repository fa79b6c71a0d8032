/** Configuration in D1: what a write answers about what was there before. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { config, freshTenant } from "./ledgers.ts";

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

/** How many of these writes say that they created something. */
async function createdBy(writes: () => Promise<unknown[]>): Promise<number> {
  return (await writes()).filter((written) => (written as { created: boolean }).created).length;
}
