/** The tenant's limiter as a Durable Object: what it grants, what it remembers, what outlives it. */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLimiter } from "../../src/adapters/limiter.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import type { LeaseAsk, LeaseRequest } from "../../src/ports/limiter.ts";
import { freshTenant } from "./ledgers.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const limiter = createLimiter(env.TENANT_LIMITER, createMeter());

// The object runs in the isolate of the test, so it reads the same stopped clock.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

const at = (afterMs: number): unknown => vi.setSystemTime(NOW_MS + afterMs);

/** Ten a second, a burst of a hundred: a lease has at most ten, and at least five once it runs dry. */
const RATE = { perSecond: 10, burst: 100 };

const ask = (wanted: number, more: Partial<LeaseAsk> = {}): LeaseAsk => ({
  scope: "tenant",
  rate: RATE,
  needed: 1,
  wanted,
  ...more,
});

const lease = (tenant: string, request: Partial<LeaseRequest>) =>
  limiter.lease(tenant, { asks: [], revision: 1, secretsUsed: [], ...request });

async function granted(tenant: string, wanted: number): Promise<number | undefined> {
  return (await lease(tenant, { asks: [ask(wanted)] })).grants[0]?.granted;
}

/** Stops the object; its storage stays. */
const evict = (tenant: string): Promise<void> =>
  evictDurableObject(env.TENANT_LIMITER.getByName(tenant));

describe("a lease", () => {
  it("is granted as asked while there are tokens, and says how long it lives", async () => {
    const answer = await lease(freshTenant(), { asks: [ask(7)] });
    const grants = [{ scope: "tenant", granted: 7, retryAfterMs: 0 }];
    expect(answer).toEqual({ revision: 1, ttlMs: LEASE_TTL_MS, grants });
  });

  it("is refused when the bucket is dry, until half a lease is there again", async () => {
    const tenant = freshTenant();
    expect(await granted(tenant, 100)).toBe(100);
    const { grants } = await lease(tenant, { asks: [ask(10)] });
    expect(grants).toEqual([{ scope: "tenant", granted: 0, retryAfterMs: 500 }]);
    at(499);
    expect(await granted(tenant, 10)).toBe(0);
    at(500);
    expect(await granted(tenant, 10)).toBe(5);
    expect(await granted(tenant, 10)).toBe(0);
  });

  it("for each scope comes from a bucket of its own, as does each tenant's", async () => {
    const [tenant, other] = [freshTenant(), freshTenant()];
    const asks = [ask(100), ask(30, { scope: "source:shop" })];
    const { grants } = await lease(tenant, { asks });
    expect(grants.map((grant) => grant.granted)).toEqual([100, 30]);
    expect(await granted(tenant, 1)).toBe(0);
    expect(await granted(other, 100)).toBe(100);
  });

  it("takes nothing from the tenant for a source that is refused", async () => {
    const tenant = freshTenant();
    const source = { scope: "source:shop" };
    await lease(tenant, { asks: [ask(100, source)] });
    const { grants } = await lease(tenant, { asks: [ask(10, source), ask(10)] });
    expect(grants).toMatchObject([{ scope: "source:shop", granted: 0 }]);
    expect(await granted(tenant, 100)).toBe(100);
  });

  it("is not refused for longer than the rate that holds now needs, when that was raised", async () => {
    const tenant = freshTenant();
    const slow = { perSecond: 0.01, burst: 10 };
    await lease(tenant, { asks: [ask(10, { rate: slow })] });
    const raised = () => lease(tenant, { asks: [ask(10)] });
    expect((await raised()).grants[0]?.retryAfterMs).toBeCloseTo(500);
    at(501);
    expect((await raised()).grants[0]?.granted).toBe(5);
  });
});

describe("after an eviction", () => {
  it("a dry bucket is still dry, and refuses", async () => {
    const tenant = freshTenant();
    await granted(tenant, 100);
    await evict(tenant);
    expect(await granted(tenant, 1)).toBe(0);
    at(1_000);
    expect(await granted(tenant, 20)).toBe(10);
  });

  it("the newest revision is still known", async () => {
    const tenant = freshTenant();
    await limiter.announce(tenant, 7);
    await evict(tenant);
    expect((await lease(tenant, { revision: 3 })).revision).toBe(7);
  });

  it("the last use of each secret is still known", async () => {
    const tenant = freshTenant();
    await lease(tenant, { secretsUsed: ["a", "b"] });
    await evict(tenant);
    expect(await limiter.secretsLastUsed(tenant)).toEqual({ a: NOW_MS, b: NOW_MS });
  });
});

describe("the revision", () => {
  it("in an answer is the newest that anyone told, never one that is older", async () => {
    const tenant = freshTenant();
    expect((await lease(tenant, { revision: 5 })).revision).toBe(5);
    await limiter.announce(tenant, 4);
    expect((await lease(tenant, { revision: 3 })).revision).toBe(5);
    await limiter.announce(tenant, 6);
    expect((await lease(tenant, { revision: 5 })).revision).toBe(6);
  });
});

describe("a secret's use", () => {
  it("is written once a minute at most, however often it is told", async () => {
    const tenant = freshTenant();
    const used = async () => {
      await lease(tenant, { secretsUsed: ["a"] });
      return limiter.secretsLastUsed(tenant);
    };
    expect(await used()).toEqual({ a: NOW_MS });
    at(59_999);
    expect(await used()).toEqual({ a: NOW_MS });
    at(60_000);
    expect(await used()).toEqual({ a: NOW_MS + 60_000 });
  });
});

describe("the matches of a shadow rule", () => {
  const told = (rule: string, version: number, matched: number, lastMatchedAtMs = NOW_MS) => ({
    ...{ rule, version, matched, lastMatchedAtMs },
  });

  it("add up by rule, also after a restart; a newer version counts anew, an older one not at all", async () => {
    const tenant = freshTenant();
    await lease(tenant, { shadowMatches: [told("a", 1, 2), told("b", 1, 1)] });
    await evict(tenant);
    await lease(tenant, { shadowMatches: [told("a", 1, 3, NOW_MS + 5)] });
    expect(await limiter.shadowMatches(tenant)).toEqual([
      told("a", 1, 5, NOW_MS + 5),
      told("b", 1, 1),
    ]);
    await lease(tenant, { shadowMatches: [told("a", 2, 1)] });
    await lease(tenant, { shadowMatches: [told("a", 1, 7)] });
    await evict(tenant);
    expect(await limiter.shadowMatches(tenant)).toEqual([told("a", 2, 1), told("b", 1, 1)]);
    expect(await limiter.shadowMatches(freshTenant())).toEqual([]);
  });
});

describe("a tenant that was deleted", () => {
  it("leaves nothing of its limits and secrets, but its last revision, also after a restart", async () => {
    const tenant = freshTenant();
    const shadowMatches = [{ rule: "a", version: 1, matched: 1, lastMatchedAtMs: NOW_MS }];
    await lease(tenant, { asks: [ask(10)], secretsUsed: ["one"], shadowMatches });
    await limiter.announce(tenant, 9);
    await limiter.forget(tenant);
    for (const restart of [false, true]) {
      if (restart) await evict(tenant);
      expect(await limiter.secretsLastUsed(tenant)).toEqual({});
      expect(await limiter.shadowMatches(tenant)).toEqual([]);
      expect(await lease(tenant, { revision: 3 })).toMatchObject({ revision: 9 });
    }
    const bucket = await lease(tenant, { asks: [ask(RATE.burst)] });
    expect(bucket.grants[0]).toEqual(
      (await lease(freshTenant(), { asks: [ask(RATE.burst)] })).grants[0],
    );
  });
});

describe("what became of a tenant's events", () => {
  const usageOf = (tenant: string, scope = "tenant") =>
    limiter.usage(tenant, [{ scope, rate: RATE }]);
  const told = { admitted: 3, refused: 2, demoted: 0 };

  it("is what isolates told, with what is left and since when the limit denies", async () => {
    const tenant = freshTenant();
    expect(await usageOf(tenant)).toMatchObject([
      { scope: "tenant", admitted: 0, tokens: 100, limitedSinceMs: null, fromMs: NOW_MS },
    ]);
    await lease(tenant, { asks: [ask(60, { told })] });
    await lease(tenant, { asks: [ask(10, { told })] });
    expect(await usageOf(tenant)).toMatchObject([
      { admitted: 6, refused: 4, demoted: 0, tokens: 30, limitedSinceMs: null },
    ]);
    at(10);
    await lease(tenant, { asks: [ask(30)] });
    await lease(tenant, { asks: [ask(10)] });
    at(3_000);
    expect(await usageOf(tenant)).toMatchObject([{ limitedSinceMs: NOW_MS + 10, tokens: 30 }]);
    expect(await usageOf(tenant, "source:other")).toMatchObject([{ admitted: 0, tokens: 100 }]);
  });

  it("is forgotten by an object that was stopped, whose buckets are not, and with its tenant", async () => {
    const tenant = freshTenant();
    await lease(tenant, { asks: [ask(60, { told })] });
    await evict(tenant);
    expect(await usageOf(tenant)).toMatchObject([{ admitted: 0, tokens: 40 }]);
    await lease(tenant, { asks: [ask(10, { told })] });
    await limiter.forget(tenant);
    expect(await usageOf(tenant)).toMatchObject([{ admitted: 0, tokens: 100 }]);
  });
});
