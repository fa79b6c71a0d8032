/** Keys of the secrets at rest: what is sealed under which, and the job that seals all of it anew. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { createConfigStore } from "../../src/adapters/d1/config-store.ts";
import { createEncryption, createResealer } from "../../src/adapters/d1/encryption.ts";
import { createJobs } from "../../src/adapters/d1/jobs.ts";
import { runningReseal } from "../../src/adapters/d1/reseals.ts";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import { createLimiter } from "../../src/adapters/limiter.ts";
import { createVault } from "../../src/adapters/secrets.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { RESEAL_PAGE } from "../../src/core/operator-limits.ts";
import { reseal } from "../../src/flows/reseal.ts";
import type { Vault } from "../../src/ports/vault.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { freshTenant, session } from "./ledgers.ts";

const newKey = (): string => encodeBase64(crypto.getRandomValues(new Uint8Array(32)));
const DOC = JSON.stringify({ verify: { scheme: "github" } });

let keys: { readonly old: string; readonly now: string };
/** Before the rotation, during it, and when the old key is gone. */
let before: Vault;
let during: Vault;
let after: Vault;

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare("DELETE FROM resources"), env.DB.prepare("DELETE FROM jobs")]);
  keys = { old: newKey(), now: newKey() };
  before = createVault(keys.old);
  during = createVault(keys.now, [keys.old]);
  after = createVault(keys.now);
});

const limiter = createLimiter(env.TENANT_LIMITER, createMeter());
const ports = (vault: Vault) => ({
  ...{ limiter, log: createMemoryLog() },
  reseals: {
    running: () => runningReseal(session),
    resealer: async () => createResealer(session, vault),
  },
});

/** A tenant with sources whose secrets were sealed by `vault`. */
async function withSources(vault: Vault, count = 1): Promise<string> {
  const tenant = freshTenant();
  const store = createConfigStore(session, vault);
  await store.putTenant(tenant, "{}", null);
  for (let at = 0; at < count; at += 1) {
    const value = { doc: DOC, secrets: { values: [`secret ${at}`] } };
    await store.putResource(tenant, "source", `s${String(at).padStart(3, "0")}`, value, null);
  }
  return tenant;
}

/** All passes of the job that is under way; how many there were. */
async function finish(vault: Vault): Promise<number> {
  for (let passes = 0; ; passes += 1) {
    const running = await runningReseal(session);
    if (running === null) return passes;
    await reseal(running, ports(vault));
  }
}

const secretsOf = async (tenant: string, vault: Vault, source = "s000") =>
  (await createConfigStore(session, vault).resource(tenant, "source", source))?.secrets?.values;

describe("a vault with an old key", () => {
  it("opens what that sealed, and seals with the new one", async () => {
    const sealed = await before.seal("acme/source/shop", "a secret");
    expect(await during.open("acme/source/shop", sealed)).toEqual({ ok: true, plain: "a secret" });
    const anew = await during.seal("acme/source/shop", "a secret");
    expect(await after.open("acme/source/shop", anew)).toEqual({ ok: true, plain: "a secret" });
    expect(anew).toContain(`.${after.keyId}.`);
  });

  it("is asked in vain for what neither sealed: it names the key, and nothing more", async () => {
    const sealed = await createVault(newKey()).seal("acme/source/shop", "a secret");
    const opened = await during.open("acme/source/shop", sealed);
    expect(opened).toEqual({ ok: false, keyId: sealed.split(".")[1] });
  });

  it("knows a secret by the names that both keys gave it, the new one's first", () => {
    const names = during.fingerprints("acme/shop", "a secret");
    expect(names).toEqual([
      after.fingerprint("acme/shop", "a secret"),
      before.fingerprint("acme/shop", "a secret"),
    ]);
    expect(during.fingerprint("acme/shop", "a secret")).toBe(names[0]);
  });

  it("refuses one that is not 32 bytes", () => {
    expect(() => createVault(keys.now, ["short"])).toThrow("ENCRYPTION_KEYS_OLD");
  });
});

describe("a job that seals secrets anew", () => {
  it("leaves nothing under the old key, which may go: what was sealed opens without it", async () => {
    const count = RESEAL_PAGE + 3;
    const tenant = await withSources(before, count);
    const encryption = createEncryption(session, during);
    expect(await encryption.census()).toEqual([{ keyId: before.keyId, secrets: count }]);
    const job = await encryption.begin("job_1");
    expect(job).toMatchObject({ kind: "reseal", tenant: "", state: "running", total: count });
    await finish(during);
    expect(await encryption.census()).toEqual([{ keyId: after.keyId, secrets: count }]);
    expect(await createJobs(session).job("", "job_1")).toMatchObject({
      ...{ state: "done", total: count, removed: count },
    });
    expect(await secretsOf(tenant, after)).toEqual(["secret 0"]);
    expect(await secretsOf(tenant, after, "s022")).toEqual(["secret 22"]);
  });

  it("changes no version: an ETag that was read still holds", async () => {
    const tenant = await withSources(before);
    const store = createConfigStore(session, during);
    const version = (await store.resource(tenant, "source", "s000"))?.version;
    await createEncryption(session, during).begin("job_1");
    await finish(during);
    expect((await store.resource(tenant, "source", "s000"))?.version).toBe(version);
  });

  it("goes on from the page that it had written down, and is done once", async () => {
    await withSources(before, 2 * RESEAL_PAGE);
    await createEncryption(session, during).begin("job_1");
    const resealer = createResealer(session, during);
    const first = await resealer.page(null, RESEAL_PAGE);
    await resealer.note("job_1", first);
    // Its process ends in the second page, before it is written down.
    await resealer.page(first.after, RESEAL_PAGE);
    expect(await runningReseal(session)).toEqual({ job: "job_1", after: first.after });
    await finish(during);
    const done = await createJobs(session).job("", "job_1");
    expect(done).toMatchObject({ state: "done", removed: 2 * RESEAL_PAGE });
  });

  it("never takes back what was changed while it worked", async () => {
    const tenant = await withSources(before);
    const store = createConfigStore(session, during);
    // The new secret is written after the old one was read, before it is sealed anew.
    const slow: Vault = {
      ...during,
      async seal(name, plain) {
        const secrets = { values: ["the new one"] };
        await store.putResource(tenant, "source", "s000", { doc: DOC, secrets }, null);
        return during.seal(name, plain);
      },
    };
    const page = await createResealer(session, slow).page(null, RESEAL_PAGE);
    expect(page).toMatchObject({ looked: 1, resealed: 0 });
    expect(await secretsOf(tenant, after)).toEqual(["the new one"]);
  });

  it("is begun once: whoever asks again is told of the one under way", async () => {
    await withSources(before);
    const encryption = createEncryption(session, during);
    expect((await encryption.begin("job_1")).id).toBe("job_1");
    expect((await encryption.begin("job_2")).id).toBe("job_1");
    await finish(during);
    expect((await encryption.begin("job_3")).id).toBe("job_3");
  });

  it("leaves what is sealed under a missing key, or damaged, and holds up no other", async () => {
    await withSources(createVault(newKey()));
    const damaged = await withSources(before);
    const tenant = await withSources(before);
    const cut = "UPDATE resources SET sealed = substr(sealed, 1, 40) WHERE tenant = ?1";
    await env.DB.prepare(cut).bind(damaged).run();
    const page = await createResealer(session, during).page(null, RESEAL_PAGE);
    expect(page).toMatchObject({ looked: 3, resealed: 1, after: null });
    expect(page.locked).toHaveLength(2);
    expect(await secretsOf(tenant, after)).toEqual(["secret 0"]);
  });

  it("takes the uses of secrets along, the later one where both names were used", async () => {
    const tenant = await withSources(before);
    const name = `${tenant}/s000`;
    const [old, now] = [before, after].map((each) => each.fingerprint(name, "secret 0"));
    const asks = { asks: [], revision: 1 };
    await limiter.lease(tenant, { ...asks, secretsUsed: [old ?? ""] });
    const { [old ?? ""]: usedAt } = await limiter.secretsLastUsed(tenant);
    await createEncryption(session, during).begin("job_1");
    await finish(during);
    expect(await limiter.secretsLastUsed(tenant)).toEqual({ [now ?? ""]: usedAt });
    await limiter.renameSecrets(tenant, { [old ?? ""]: now ?? "" });
    expect(await limiter.secretsLastUsed(tenant)).toEqual({ [now ?? ""]: usedAt });
  });
});

describe("a tenant of which a key is missing", () => {
  it("is loaded, with the source that it concerns locked and the others as they are", async () => {
    const tenant = await withSources(before);
    const store = createConfigStore(session, after);
    const secrets = { values: ["readable"] };
    await store.putResource(tenant, "source", "other", { doc: DOC, secrets }, null);
    const loaded = await createTenantStore(session, after, createMemoryLog()).load(tenant);
    expect(loaded?.sources.get("s000")).toMatchObject({ isLocked: true });
    expect(loaded?.sources.get("other")?.isLocked).toBeUndefined();
    expect(await store.resource(tenant, "source", "s000")).toMatchObject({
      secrets: null,
      lockedBy: before.keyId,
    });
  });

  it.each([
    ["cut", "substr(sealed, 1, 40)"],
    [
      "of another resource",
      "(SELECT r.sealed FROM resources AS r WHERE r.tenant = ?1 AND r.id = 'other')",
    ],
  ])("or damaged, %s, likewise, and takes the secrets anew", async (_, sealed) => {
    const tenant = await withSources(after);
    const store = createConfigStore(session, after);
    const put = (id: string, value: string) =>
      store.putResource(tenant, "source", id, { doc: DOC, secrets: { values: [value] } }, null);
    await put("other", "readable");
    const damage = `UPDATE resources SET sealed = ${sealed} WHERE tenant = ?1 AND id = 's000' RETURNING id`;
    await session.rows("damage", damage, [tenant]);
    const load = () => createTenantStore(session, after, createMemoryLog()).load(tenant);
    expect((await load())?.sources.get("s000")).toMatchObject({ isLocked: true });
    expect((await load())?.sources.get("other")?.isLocked).toBeUndefined();
    const stored = await store.resource(tenant, "source", "s000");
    expect(stored).toMatchObject({ secrets: null, lockedBy: "damaged" });
    expect(await put("s000", "anew")).toMatchObject({ kind: "written" });
    expect((await load())?.sources.get("s000")?.isLocked).toBeUndefined();
  });
});
