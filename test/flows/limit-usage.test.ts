/** Isolates tell the limiter what became of events with the calls that they make anyway: no call more. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import type { Limit } from "../../src/core/tenant.ts";
import { type Admission, createAdmission } from "../../src/flows/admit.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { createMemoryLimiter, type MemoryLimiter } from "../support/memory-limiter.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { tenantOf } from "../support/memory-tenants.ts";

let clock: FakeClock;
let limiter: MemoryLimiter;
let admission: Admission;

beforeEach(() => {
  clock = createFakeClock();
  limiter = createMemoryLimiter(clock);
  admission = createAdmission(limiter, clock, createMemoryLog());
});

const tenantWith = (limit: Limit, source: Limit | null = null) =>
  tenantOf("acme", 1, { limit, sources: { shop: { limit: source } } });

async function send(tenant: ReturnType<typeof tenantWith>, count: number, by = admission) {
  const source = tenant.sources.get("shop");
  if (source === undefined) throw new Error("there is no source");
  const counts: Record<string, number> = { admitted: 0, refused: 0, demoted: 0 };
  for (let each = 0; each < count; each += 1) {
    const { kind } = await by.admit(tenant, source, 1);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

const usage = async (limit: Limit, scope = "tenant") =>
  (await limiter.usage("acme", [{ scope, rate: limit }]))[0];

describe("what a limit let in and what was above it", () => {
  it.each(["reject", "demote"] as const)(
    "is known exactly once the next call is made, with overflow %s",
    async (overflow) => {
      const limit: Limit = { perSecond: 20, burst: 40, overflow };
      const tenant = tenantWith(limit);
      const total: Record<string, number> = { admitted: 0, refused: 0, demoted: 0 };
      for (let round = 0; round < 20; round += 1) {
        for (const [kind, count] of Object.entries(await send(tenant, 17))) {
          total[kind] = (total[kind] ?? 0) + count;
        }
        await clock.advance(LEASE_TTL_MS / 2);
      }
      expect(total.admitted).toBeGreaterThan(100);
      expect((total.refused ?? 0) + (total.demoted ?? 0)).toBeGreaterThan(100);
      const found = await usage(limit);
      expect(found?.limitedSinceMs).not.toBeNull();
      await clock.advance(5 * LEASE_TTL_MS);
      await send(tenant, 1);
      expect(await usage(limit)).toMatchObject(total);
    },
  );

  it("is counted for the source and for its tenant, each by its own limit", async () => {
    const [own, its]: Limit[] = [
      { perSecond: 100, burst: 100, overflow: "reject" },
      { perSecond: 0.001, burst: 3, overflow: "reject" },
    ];
    if (own === undefined || its === undefined) throw new Error("there are two");
    const tenant = tenantWith(own, its);
    expect(await send(tenant, 10)).toMatchObject({ admitted: 3, refused: 7 });
    expect((await usage(its, "source:shop"))?.limitedSinceMs).not.toBeNull();
    expect((await usage(own))?.limitedSinceMs).toBeNull();
    expect(await usage(own)).toMatchObject({ refused: 0 });
  });

  it("costs no call, and is told again where a call failed", async () => {
    const limit: Limit = { perSecond: 100, burst: 200, overflow: "reject" };
    const tenant = tenantWith(limit);
    await send(tenant, 15);
    const calls = limiter.asked.length;
    const { lease } = limiter;
    limiter.lease = () => Promise.reject(new Error("down"));
    await clock.advance(LEASE_TTL_MS);
    await send(tenant, 5); // admitted without a limiter, and counted by nobody
    limiter.lease = lease;
    await clock.advance(LEASE_TTL_MS);
    await send(tenant, 1);
    expect(limiter.asked.length).toBe(calls + 1);
    expect(await usage(limit)).toMatchObject({ admitted: 15 });
  });

  it("is forgotten with its tenant", async () => {
    const limit: Limit = { perSecond: 0.001, burst: 1, overflow: "reject" };
    await send(tenantWith(limit), 5);
    await limiter.forget("acme");
    expect(await usage(limit)).toMatchObject({ limitedSinceMs: null, admitted: 0, tokens: 1 });
  });
});
