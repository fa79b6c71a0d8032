/** Isolates that share a tenant's limiter: the real admission over the real Durable Object. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLimiter } from "../../src/adapters/limiter.ts";
import { consoleLog, createMeter, systemClock } from "../../src/adapters/system.ts";
import { leaseTokensMax } from "../../src/core/admit/lease.ts";
import { LEASE_TTL_MS } from "../../src/core/limits.ts";
import type { Limit } from "../../src/core/tenant.ts";
import { type Admitted, createAdmission } from "../../src/flows/admit.ts";
import { tenantOf } from "../support/memory-tenants.ts";
import { type Admission, admittedAt, mostAboveRate } from "../support/windows.ts";
import { freshTenant } from "./ledgers.ts";

const NOW_MS = Date.UTC(2026, 0, 1);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Isolates of one tenant with this limit, each with leases of its own. */
function isolatesOf(count: number, limit: Limit, source?: Limit) {
  const meter = createMeter();
  const sources = { open: source === undefined ? {} : { limit: source }, other: {} };
  const tenant = tenantOf(freshTenant(), 1, { limit, sources });
  const isolates = Array.from({ length: count }, () => {
    const limiter = createLimiter(env.TENANT_LIMITER, meter);
    return createAdmission(limiter, systemClock, consoleLog);
  });
  return {
    calls: () => meter.read().durable_object_calls,
    async admit(isolate: number, name: "open" | "other" = "open"): Promise<Admitted["kind"]> {
      const source = tenant.sources.get(name);
      if (source === undefined) throw new Error("no such source");
      const admitted = await isolates[isolate % count]?.admit(tenant, source, 1);
      return admitted?.kind ?? "refused";
    },
  };
}

describe("isolates at many times a tenant's limit", () => {
  it.each([
    { W: 1, callsMax: 0.1 },
    { W: 4, callsMax: 0.1 },
    { W: 8, callsMax: 0.2 },
  ])(
    "admit no more than B + R·w + min(R·T, W·L) in any window, with few calls: W = $W",
    async ({ W, callsMax }) => {
      const limit: Limit = { perSecond: 200, burst: 80, overflow: "reject" };
      const { admit, calls } = isolatesOf(W, limit);
      const admissions: Admission[] = [];
      let offered = 0;
      for (let tick = 0; tick < 150; tick += 1) {
        // Quiet for a while now and then, so that leases rest full and the bucket fills up behind them.
        const atMs = NOW_MS + tick * 20 + Math.floor(tick / 50) * 600;
        vi.setSystemTime(atMs);
        const kinds = await Promise.all(Array.from({ length: 60 }, (_, turn) => admit(turn)));
        offered += kinds.length;
        admissions.push(admittedAt(atMs, kinds.filter((kind) => kind === "admitted").length));
      }
      const carried = Math.min(
        (limit.perSecond * LEASE_TTL_MS) / 1_000,
        W * leaseTokensMax(limit, LEASE_TTL_MS),
      );
      const above = mostAboveRate(admissions, limit.perSecond);
      expect(above).toBeLessThanOrEqual(limit.burst + carried + 0.1);
      expect(above).toBeGreaterThan(0.9 * limit.burst); // and what the limit allows does come in
      expect(calls()).toBeLessThan(callsMax * offered);
    },
  );
});

describe("a source at many times its own limit", () => {
  it("is refused without using up what the tenant has for its other sources", async () => {
    const slow = { perSecond: 0.001, overflow: "reject" } as const;
    const { admit } = isolatesOf(1, { ...slow, burst: 100 }, { ...slow, burst: 5 });
    let noisy = 0;
    for (let second = 0; second < 20; second += 1) {
      vi.setSystemTime(NOW_MS + second * 1_100); // so that each round has to ask anew
      const kinds = await Promise.all(Array.from({ length: 50 }, () => admit(0)));
      noisy += kinds.filter((kind) => kind === "admitted").length;
    }
    expect(noisy).toBe(5);
    let others = 0;
    while ((await admit(0, "other")) === "admitted") others += 1;
    expect(others).toBe(95);
  });

  it("costs the tenant no more than it is let in, however often it asks", async () => {
    const { admit } = isolatesOf(
      1,
      { perSecond: 1_000, burst: 1_000, overflow: "reject" },
      { perSecond: 20, burst: 10, overflow: "reject" },
    );
    const refused: Admitted["kind"][] = [];
    for (let tick = 0; tick < 300; tick += 1) {
      vi.setSystemTime(NOW_MS + tick * 20);
      const kinds = await Promise.all(Array.from({ length: 14 }, () => admit(0, "other")));
      await admit(0);
      refused.push(...kinds.filter((kind) => kind !== "admitted"));
    }
    expect(refused).toEqual([]); // 700 a second and the 20 of the source, of 1,000
  });
});
