/** A pull that waits goes by what operators have made of its target and its rules by the time something comes. */
import { beforeEach, describe, expect, it } from "vitest";
import { type PullBody, pullTargetOf } from "../../src/core/pull/pull.ts";
import type { Target } from "../../src/core/tenant.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { pull } from "../../src/flows/pull.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { consume, messageWith } from "./consumer.ts";

let world: World;
let ports: DeliverPorts;

beforeEach(() => {
  world = createWorld();
  ports = createIsolate(world).deliver;
  tenantWith();
});

const read = (body: PullBody = {}) => ({ other: pullTargetOf(body) });

function tenantWith(audit: Partial<Target> = read(), rule: Partial<RuleSketch> = {}) {
  world.tenants.put("acme", {
    targets: { audit },
    rules: { orders: { targets: ["audit"], ...rule } },
  });
}

/** What a pull answers that waits for ten seconds, while this happens two seconds after it began. */
async function pullWhile(happens: () => Promise<void> | void, leaseMs: number | null = null) {
  const request = { id: { tenant: "acme", target: "audit" }, max: 10, leaseMs };
  const pulling = pull({ ...request, waitMs: 10_000 }, ports);
  const beganAtMs = world.clock.nowMs();
  await world.clock.advance(2_000);
  await happens();
  const items = await world.clock.run(pulling);
  return { items, tookMs: world.clock.nowMs() - beganAtMs };
}

const bring = (transformed?: true) => {
  const to = [{ ...boundTo("audit"), ...(transformed && { transformed }) }];
  return consume(world, "normal", [messageWith({ to }, '{"key":"k"}')]);
};
const rows = () => [...world.ledger.deliveries.values()];
const UNTOUCHED = { state: "parked", attempts: 0 };

describe("a pull that waits", () => {
  it("gives what a transformer makes that its rule did not have when the pull began", async () => {
    const { items } = await pullWhile(async () => {
      const audit = { paths: { key: "$.data.key" }, template: { now: "<key>" } };
      tenantWith(read(), { transformers: { audit: { ...audit, missing: "refuse" } } });
      await bring(true);
    });
    expect(rows()).toMatchObject([{ state: "parked", attempts: 1, lastError: expect.anything() }]);
    expect(items).toMatchObject([{ content: { now: "k" } }]);
  });

  it.each([
    ["its target says by then", null, 90_000],
    ["it has said itself", 5_000, 5_000],
  ])("leases for as long as %s", async (_, own, leaseMs) => {
    const { items } = await pullWhile(async () => {
      tenantWith(read({ leaseSeconds: 90 }));
      await bring();
    }, own);
    expect(items).toMatchObject([{ leasedUntilMs: world.clock.nowMs() + leaseMs }]);
  });

  it("buries nothing that may be leased once more by now", async () => {
    tenantWith(read({ maxAttempts: 1 }));
    await bring();
    expect((await pullWhile(() => {}, 5_000)).items).toHaveLength(1);
    const { items } = await pullWhile(() => tenantWith(read({ maxAttempts: 2 })));
    expect(items).toMatchObject([{ attempt: 2 }]);
  });

  it.each<[string, () => void]>([
    ["paused", () => tenantWith({ ...read(), closed: "paused" })],
    ["of another kind", () => tenantWith({})],
    ["deleted", () => void world.tenants.put("acme", {})],
  ])("leases nothing once its target is %s, and ends within a second", async (_, change) => {
    const { items, tookMs } = await pullWhile(async () => {
      await bring();
      change();
    });
    expect(items).toBeNull();
    expect(tookMs).toBeLessThanOrEqual(3_000);
    expect(rows()).toMatchObject([UNTOUCHED]);
  });

  it("ends when its tenant is deleted", async () => {
    const { items, tookMs } = await pullWhile(() => world.tenants.delete("acme"));
    expect(items).toBeNull();
    expect(tookMs).toBeLessThanOrEqual(3_000);
  });
});
