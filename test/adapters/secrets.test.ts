/** Secrets at rest: sealed in D1, opened for their own resource under their own key, and for no other. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import { createVault } from "../../src/adapters/secrets.ts";
import { consoleLog } from "../../src/adapters/system.ts";
import { encodeBase64 } from "../../src/core/bytes.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { config, freshTenant, session, vault } from "./ledgers.ts";

const SECRET = "it's a secret to everybody";
const SOURCE = JSON.stringify({ verify: { scheme: "github" } });
const otherKey = (): string => encodeBase64(crypto.getRandomValues(new Uint8Array(32)));

const store = createTenantStore(session, vault, consoleLog);

/** A tenant with a source whose secrets are these. */
async function withSecrets(...values: string[]): Promise<string> {
  const tenant = freshTenant();
  await config.putTenant(tenant, "{}", null);
  await config.putResource(tenant, "source", "shop", { doc: SOURCE, secrets: { values } }, null);
  return tenant;
}

async function sealedOf(tenant: string): Promise<string> {
  const query = env.DB.prepare("SELECT sealed FROM resources WHERE tenant = ?1");
  return (await query.bind(tenant).first<string>("sealed")) ?? "";
}

const failureOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "it did not fail",
    (error: Error) => error.message,
  );

describe("a tenant's secrets", () => {
  it("are what they were when the tenant is loaded", async () => {
    const tenant = await store.load(await withSecrets(SECRET, "the new one"));
    const verify = tenant?.sources.get("shop")?.verify;
    expect(verify).toMatchObject({ scheme: "github", secrets: [SECRET, "the new one"] });
  });

  it("stay when the document is replaced without them, and go when it says so", async () => {
    const tenant = await withSecrets(SECRET);
    const put = (secrets: null | undefined) =>
      config.putResource(tenant, "source", "shop", { doc: SOURCE, secrets }, null);
    await put(undefined);
    expect((await config.resource(tenant, "source", "shop"))?.secrets?.values).toEqual([SECRET]);
    await put(null);
    expect((await config.resource(tenant, "source", "shop"))?.secrets).toBeNull();
  });

  it("are nowhere in the database as they are", async () => {
    const tenant = await withSecrets(SECRET);
    const query = env.DB.prepare("SELECT * FROM resources WHERE tenant = ?1").bind(tenant);
    const row = JSON.stringify((await query.all()).results);
    expect(row).toContain("github");
    for (const form of [SECRET, btoa(SECRET)]) expect(row).not.toContain(form);
  });

  it("are locked under another key, by a line that names resource and key and not the secret", async () => {
    const tenant = await withSecrets(SECRET);
    const log = createMemoryLog();
    const stranger = createTenantStore(session, createVault(otherKey()), log);
    const source = (await stranger.load(tenant))?.sources.get("shop");
    expect(source).toMatchObject({ isLocked: true, verify: { secrets: [] } });
    const fields = { resource: `${tenant}/source/shop`, key: vault.keyId };
    expect(log.of("secrets-locked")).toMatchObject([fields]);
    expect(JSON.stringify(log.lines)).not.toContain(SECRET);
  });

  it("are refused to another tenant into whose row they were copied", async () => {
    const [victim, thief] = [await withSecrets(SECRET), await withSecrets("its own")];
    const copy = env.DB.prepare("UPDATE resources SET sealed = ?1 WHERE tenant = ?2");
    await copy.bind(await sealedOf(victim), thief).run();
    const loaded = await store.load(thief);
    expect(loaded?.sources.get("shop")).toMatchObject({ isLocked: true, verify: { secrets: [] } });
    expect(JSON.stringify([...(loaded?.sources ?? [])])).not.toContain(SECRET);
  });
});

/** Opened, or failed: also for want of the key that was named. */
async function opened(name: string, sealed: string): Promise<string> {
  const answer = await vault.open(name, sealed);
  if (!answer.ok) throw new Error(`no key ${answer.keyId}`);
  return answer.plain;
}

describe("a vault", () => {
  it("seals the same secret differently each time", async () => {
    const [one, two] = [await vault.seal("name", SECRET), await vault.seal("name", SECRET)];
    expect(one).not.toBe(two);
    expect(await vault.open("name", one)).toEqual({ ok: true, plain: SECRET });
    expect(await vault.open("name", two)).toEqual({ ok: true, plain: SECRET });
  });

  it("refuses what was changed in any of its parts", async () => {
    const parts = (await vault.seal("name", SECRET)).split(".");
    for (const at of parts.keys()) {
      const changed = parts.map((part, index) => (index === at ? flipped(part) : part)).join(".");
      expect(await failureOf(opened("name", changed))).not.toBe("it did not fail");
    }
    for (const text of ["", "v1", "v1..", parts.slice(0, 3).join(".")]) {
      expect(await failureOf(opened("name", text))).not.toBe("it did not fail");
    }
  });

  it("refuses to start with a key that is not 32 bytes", () => {
    for (const key of ["", "short", encodeBase64(new Uint8Array(31)), "not base64 at all!"]) {
      expect(() => createVault(key)).toThrow("ENCRYPTION_KEY");
    }
  });

  it("gives a secret the same fingerprint each time, and another under another name or key", () => {
    const print = vault.fingerprint("acme/shop", SECRET);
    expect(vault.fingerprint("acme/shop", SECRET)).toBe(print);
    expect(vault.fingerprint("other/shop", SECRET)).not.toBe(print);
    expect(vault.fingerprint("acme/shop", "another")).not.toBe(print);
    expect(createVault(otherKey()).fingerprint("acme/shop", SECRET)).not.toBe(print);
  });

  it("has a key for each purpose, that no other vault has", () => {
    const key = otherKey();
    const [derived] = createVault(key).derive("callbacks");
    expect(derived).toHaveLength(32);
    expect(createVault(key).derive("callbacks")).toEqual([derived]);
    expect(createVault(key).derive("other")).not.toEqual([derived]);
    const other = otherKey();
    const [present] = createVault(other).derive("callbacks");
    expect(present).not.toEqual(derived);
    expect(createVault(other, [key]).derive("callbacks")).toEqual([present, derived]);
  });
});

/** The part with one character replaced by another that may stand there. */
const flipped = (part: string): string => (part.startsWith("A") ? "B" : "A") + part.slice(1);
