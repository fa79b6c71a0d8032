/** All that limits a target: each by its name, with since when, and nothing that does not. */
import { beforeEach, describe, expect, it } from "vitest";
import { VIEW_PART_TIMEOUT_MS } from "../../src/core/operator-limits.ts";
import { uncontrolled } from "../../src/core/queue-control.ts";
import { disableTarget, GONE } from "../../src/flows/disable-target.ts";
import { type LIMIT_PARTS, limitsOfTarget } from "../../src/flows/target-limits.ts";
import { viewParts } from "../../src/flows/view-parts.ts";
import { packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";
import type { TenantSketch } from "../support/memory-tenants.ts";

let world: World;
let isolate: Isolate;

beforeEach(() => {
  world = createWorld();
  isolate = createIsolate(world);
});

const SENDING: TenantSketch = {
  sources: { open: {} },
  targets: { sink: {} },
  rules: { all: { priority: "critical", targets: ["sink"] } },
};

async function view(
  sketch: TenantSketch | null,
  lastRuleEnded: () => Promise<number | null> = async () => null,
) {
  if (sketch !== null) world.tenants.put("acme", sketch);
  const tenant = await world.tenants.load("acme");
  const target = tenant?.targets.get("sink");
  if (tenant === null || target === undefined) throw new Error("there is no target");
  const parts = viewParts<(typeof LIMIT_PARTS)[number]>("gate", isolate.deliver);
  const limits = await limitsOfTarget(tenant, target, lastRuleEnded, parts, isolate.deliver);
  return { limits, unknown: parts.unknown() };
}

async function limits(sketch: TenantSketch | null, endedAtMs: number | null = null) {
  const known = await view(sketch, async () => endedAtMs);
  expect(known.unknown).toEqual([]);
  return known.limits;
}

const down = () => Promise.reject(new Error("down"));
const hangs = (): Promise<never> => new Promise(() => {});

const by = (found: Awaited<ReturnType<typeof limits>>) => found.map((each) => each.by);

describe("a target", () => {
  it("that nothing limits has none, whatever limits its neighbours", async () => {
    world.ledger.controls.set("bulk", { ...uncontrolled("bulk"), isPaused: true, pausedAtMs: 5 });
    await world.queues.send("bulk", [packOf()]);
    expect(
      await limits({ ...SENDING, limit: { perSecond: 9, burst: 9, overflow: "reject" } }),
    ).toEqual([]);
  });

  it.each([
    ["none names it", { all: { targets: ["other"] } }],
    ["none is left", {}],
    ["all are shadows", { all: { targets: ["sink"], mode: "shadow" as const } }],
  ])("is limited by its rules when %s, since the last one ended", async (_, rules) => {
    const bornAtMs = world.clock.nowMs();
    const sketch = { ...SENDING, rules };
    expect(await limits(sketch)).toEqual([
      {
        ...{ by: "rule", sinceMs: bornAtMs, untilMs: null },
        detail: "no enabled rule sends to it",
      },
    ]);
    await world.clock.advance(10_000);
    expect((await limits(null, bornAtMs + 7_000))[0]).toMatchObject({ sinceMs: bornAtMs + 7_000 });
    // That was one of the same name, before this one was made.
    expect((await limits(null, bornAtMs - 7_000))[0]).toMatchObject({ sinceMs: bornAtMs });
  });

  it("is limited by an operator who paused a queue that its rules use, or made it narrow or late", async () => {
    const control = { ...uncontrolled("critical"), changedAtMs: 50 };
    world.ledger.controls.set("critical", { ...control, isPaused: true, pausedAtMs: 40 });
    expect(await limits(SENDING)).toMatchObject([
      { by: "operator", sinceMs: 40, detail: expect.stringMatching(/^the queue critical: Paused/) },
    ]);
    world.ledger.controls.set("critical", { ...control, concurrency: 1, delaySeconds: 5 });
    expect(await limits(SENDING)).toMatchObject([
      { by: "operator", sinceMs: 50 },
      { by: "operator", sinceMs: 50 },
    ]);
  });

  it("is limited by the platform where messages wait in a queue that its rules use", async () => {
    await world.queues.send("critical", [packOf()]);
    expect(by(await limits(SENDING))).toEqual(["platform"]);
  });

  it("is limited by its tenant when that is above its limit, and by its own pause as well", async () => {
    const limit = { perSecond: 0.001, burst: 1, overflow: "demote" } as const;
    const sketch = { ...SENDING, limit, targets: { sink: { closed: "paused" as const } } };
    const tenant = world.tenants.put("acme", sketch);
    const source = tenant.sources.get("open");
    if (source === undefined) throw new Error("there is no source");
    const sinceMs = world.clock.nowMs();
    for (let at = 0; at < 3; at += 1) await isolate.accept.admission.admit(tenant, source, 1);
    const found = await limits(null);
    expect(by(found)).toEqual(["operator", "tenant"]);
    expect(found[1]).toMatchObject({ sinceMs, detail: expect.stringMatching(/bulk$/) });
  });

  it("that is closed says since when, however often it is asked", async () => {
    const closedAtMs = world.clock.nowMs() - 5_000;
    const sketch = { ...SENDING, targets: { sink: { closed: "paused", closedAtMs } } } as const;
    for (const asked of [sketch, null]) {
      const found = { by: "operator", sinceMs: closedAtMs, untilMs: null };
      expect(await limits(asked)).toEqual([{ ...found, detail: "the target is paused" }]);
      await world.clock.advance(10_000);
    }
  });

  it.each([
    [{}, "the target is disabled: the receiver answered 410 Gone"],
    [{ closed: "paused" }, "the target is disabled: the receiver answered 410 Gone; and paused"],
  ] as const)(
    "that its receiver disabled says why, and whether it is paused: %o",
    async (sink, detail) => {
      world.tenants.put("acme", { ...SENDING, targets: { sink } });
      const id = { tenant: "acme", target: "sink" };
      await disableTarget(id, undefined, GONE, isolate.deliver);
      expect(await limits(null)).toMatchObject([{ by: "operator", detail }]);
    },
  );

  it.each([
    ["fails", down],
    ["hangs", hangs],
  ])("whose gate %s is not called unlimited, and hides nothing else", async (_, limits) => {
    isolate = createIsolate(world, { broken: { gates: { ...world.gates, limits } } });
    expect(await world.clock.run(view(SENDING))).toEqual({ limits: [], unknown: ["gate"] });
    const known = world.clock.run(view({ ...SENDING, targets: { sink: { closed: "paused" } } }));
    expect(await known).toMatchObject({ limits: [{ by: "operator" }], unknown: ["gate"] });
    expect(world.log.of("view-incomplete")).toMatchObject([{ part: "gate" }, { part: "gate" }]);
  });

  it("says of each part that does not answer that it is unknown, and what is known of it all the same", async () => {
    const paused = { ...uncontrolled("critical"), isPaused: true, pausedAtMs: 40 };
    world.ledger.controls.set("critical", paused);
    const limiter = { ...world.limiter, usage: hangs };
    isolate = createIsolate(world, {
      broken: { limiter, queues: { ...world.queues, metrics: hangs } },
    });
    const limit = { perSecond: 9, burst: 9, overflow: "reject" } as const;
    const startedAtMs = world.clock.nowMs();
    expect(await world.clock.run(view({ ...SENDING, limit }))).toMatchObject({
      ...{ limits: [{ by: "operator", sinceMs: 40 }], unknown: ["queues", "tenant"] },
    });
    expect(world.clock.nowMs() - startedAtMs).toBe(VIEW_PART_TIMEOUT_MS);
    const ledger = { ...world.ledger, queueControls: down };
    isolate = createIsolate(world, { broken: { ledger } });
    expect(await view(SENDING)).toEqual({ limits: [], unknown: ["queues"] });
    const ruleless = view({ ...SENDING, rules: {} }, down);
    expect(await ruleless).toMatchObject({ limits: [{ by: "rule" }], unknown: ["rules"] });
  });
});
