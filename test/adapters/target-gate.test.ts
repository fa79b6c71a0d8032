/** A target's gate as a Durable Object: what outlives it, what it costs, and that it does not stay for ever. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTenantStore } from "../../src/adapters/d1/tenant-store.ts";
import { createGates } from "../../src/adapters/gates.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { meter as objectMeter } from "../../src/compose.ts";
import type { Ask, GateConfig, GateReport } from "../../src/core/gate/index.ts";
import { GATE_FORGET_MS } from "../../src/core/gate-limits.ts";
import type { GateId } from "../../src/ports/gates.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { freshTenant, session, config as store, vault } from "./ledgers.ts";

/** Far ahead of the engine, whose clock goes on: alarms run when a test says so. */
const NOW_MS = Date.UTC(2100, 0, 1, 12);
const gates = createGates(env.TARGET_GATE, createMeter());
let id: GateId;

// The object runs in the isolate of the test, so it reads the same stopped clock.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW_MS });
  id = { tenant: freshTenant(), target: "sink" };
});
afterEach(() => {
  vi.useRealTimers();
});

const limits: GateConfig = {
  ...{ concurrency: 2, perSecond: null, perDay: null, isAdaptive: false, bornAtMs: 1_000 },
};
const nothing = { config: limits, report: null, parked: null, ask: null };
const stub = () => env.TARGET_GATE.getByName(`${id.tenant}/${id.target}`);

const ask = (lease: string): Ask => ({
  ...{ lease, want: { fresh: 2, retries: 0 }, priority: "normal", isReleased: false },
  ttlMs: 27_000,
});

const done = (lease: string): GateReport => ({
  ...{ lease, sent: { fresh: 2, retries: 0 }, isDone: true },
  outcomes: { ok: 2, failed: 0, dropped: 0, timedOut: 0, rejected: 0, durationMs: 5 },
  ...{ retryAfterMs: null, allowedPerMinute: null },
});

const kindOf = async (lease: string, config = limits): Promise<string | undefined> =>
  (await gates.tell(id, { ...nothing, config, ask: ask(lease) }))?.answer?.kind;

const keys = (): Promise<string[]> =>
  runInDurableObject(stub(), async (_, { storage }) => [...(await storage.list()).keys()]);

/** Rows that objects wrote meanwhile. */
async function rowsOf(work: () => Promise<unknown>): Promise<number> {
  const before = objectMeter.read().durable_object_rows_written;
  await work();
  return objectMeter.read().durable_object_rows_written - before;
}

describe("a gate", () => {
  it("gives a slot to nobody else while it is held, though its object was stopped", async () => {
    expect(await kindOf("a")).toBe("granted");
    await evictDurableObject(stub());
    expect(await kindOf("b")).toBe("refused");
    await gates.tell(id, { ...nothing, report: done("a") });
    await evictDurableObject(stub());
    expect(await kindOf("c")).toBe("granted");
  });

  it("writes one row a call, and one more for the alarm of the day", async () => {
    expect(await rowsOf(() => kindOf("a"))).toBe(2);
    for (const lease of ["a", "b", "c"]) {
      const batch = async () => {
        await gates.tell(id, { ...nothing, report: done(lease) });
        await kindOf(`${lease}+`);
        await gates.tell(id, { ...nothing, report: done(`${lease}+`) });
      };
      expect(await rowsOf(batch)).toBe(3);
    }
  });

  it("writes nothing for limits of a target that has never asked", async () => {
    expect(await rowsOf(() => gates.tell(id, nothing))).toBe(0);
    expect(await keys()).toEqual([]);
  });

  it("leaves nothing behind a day after the last ask, and decides like a new one then", async () => {
    await kindOf("a");
    expect(await keys()).toEqual(["gate"]);
    vi.setSystemTime(NOW_MS + GATE_FORGET_MS);
    await runDurableObjectAlarm(stub());
    expect(await keys()).toEqual([]);
    expect(await runDurableObjectAlarm(stub())).toBe(false);
    expect(await kindOf("b")).toBe("granted");
  });

  it("does not forget what somebody has asked since", async () => {
    await kindOf("a");
    vi.setSystemTime(NOW_MS + GATE_FORGET_MS / 2);
    await kindOf("b");
    vi.setSystemTime(NOW_MS + GATE_FORGET_MS);
    await runDurableObjectAlarm(stub());
    expect(await keys()).toEqual(["gate"]);
  });
});

describe("the gate of a target that was made anew", () => {
  const anew = { ...limits, bornAtMs: 2_000 };

  it("knows nothing of the one before, and hears nothing that is told of it", async () => {
    const wish = { ...done("a"), retryAfterMs: 60_000 };
    await kindOf("a");
    expect(await kindOf("b", anew)).toBe("granted");
    await gates.tell(id, { ...nothing, report: wish });
    expect(await gates.limits(id, anew)).toEqual([]);
  });

  it("is told by when the target was made, which a change of it leaves as it was, unlike its version", async () => {
    const { tenant } = id;
    const put = () =>
      store.putResource(tenant, "target", "sink", { doc: DOCUMENT, secrets: null }, null);
    const tenants = createTenantStore(session, vault, createMemoryLog());
    const gateNow = async () => (await tenants.load(tenant))?.targets.get("sink")?.gate;
    const born = async () => (await gateNow())?.bornAtMs ?? Number.NaN;
    const version = async () => (await gateNow())?.version ?? Number.NaN;
    await store.putTenant(tenant, "{}", null);
    await put();
    const first = await born();
    expect(first).toBeGreaterThan(Date.UTC(2026, 0, 1));
    const before = await version();
    await put();
    expect(await born()).toBe(first);
    expect(await version()).toBeGreaterThan(before);
    await store.deleteResource(tenant, "target", "sink", null);
    await put();
    expect(await born()).toBeGreaterThan(first);
  });
});

const DOCUMENT = JSON.stringify({ kind: "http", url: "https://sink.example.com/" });
