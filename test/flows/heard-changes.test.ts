/** Batches at work in one isolate: they ask together what operators have changed, and each hears of its own. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_SECONDS } from "../../src/core/limits.ts";
import { CHANGES_ASK_MS } from "../../src/core/operator-limits.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { Ledger } from "../../src/ports/ledger.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { dyingClock, messageWith, type TestMessage } from "./consumer.ts";

const PAUSED = { closed: "paused" } as const;
/** An answer takes so long: sixty of them are a batch of two seconds. */
const ANSWER_MS = 200;
const EVENTS = 60;
const TENANTS = ["acme", "bolt", "cell"];

let world: World;
let beginsMs: number[];
let asked: number;

beforeEach(() => {
  world = createWorld();
  beginsMs = [];
  asked = 0;
  world.transport.answer = async () => {
    beginsMs.push(world.clock.nowMs());
    await world.clock.timer(ANSWER_MS).elapsed;
    return response(200);
  };
});

function messages(target: string, count = EVENTS, tenant = "acme"): TestMessage[] {
  const revision = world.tenants.revision(tenant) ?? 1;
  return Array.from({ length: count }, (_, at) =>
    messageWith({ key: `${target} ${at}`, tenant, revision, to: [target] }),
  );
}

const stateOf = (tenant: string, wanted: string): number =>
  [...world.ledger.deliveries.values()].filter(
    (row) => row.tenant === tenant && row.state === wanted,
  ).length;

/** A batch for each tenant, each a tenth of a second after the one before. */
async function allAtWork(changes: Ledger["changes"]) {
  const ledger: Ledger = {
    ...world.ledger,
    changes(tenants) {
      asked += 1;
      return changes(tenants);
    },
  };
  const { deliver } = createIsolate(world, { broken: { ledger } });
  const work: Promise<void>[] = [];
  for (const tenant of TENANTS) {
    world.tenants.put(tenant, { targets: { pager: {} } });
    work.push(deliverBatch("normal", messages("pager", EVENTS, tenant), deliver));
    await world.clock.advance(100);
  }
  return Promise.all(work);
}

/** When: no attempt begins a second later. */
function pauseAll(): number {
  for (const tenant of TENANTS) world.tenants.put(tenant, { targets: { pager: PAUSED } });
  return world.clock.nowMs();
}

describe("batches of one isolate", () => {
  it("ask together twice a second, and each hears what was asked for all", async () => {
    const started = { work: allAtWork(world.ledger.changes) };
    await world.clock.advance(600);
    const pausedAtMs = pauseAll();
    await world.clock.run(started.work);
    expect(Math.max(...beginsMs)).toBeLessThan(pausedAtMs + 1_000);
    for (const tenant of TENANTS) expect(stateOf(tenant, "parked")).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(3);
  });

  it("hear of nothing that was asked before they had claimed", async () => {
    const { deliver } = createIsolate(world);
    world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
    const before = deliverBatch("normal", messages("pager"), deliver);
    await world.clock.advance(CHANGES_ASK_MS + 10);
    const moved = "https://moved.example.com/";
    world.tenants.put("acme", { targets: { pager: {}, mail: { url: moved } } });
    const after = deliverBatch("normal", messages("mail", 24), deliver);
    await world.clock.run(Promise.all([before, after]));
    const urls = world.transport.sent.map(({ url }) => url);
    expect(urls.filter((url) => url === moved)).toHaveLength(24);
  });

  it("lose nothing by an answer that comes late, when another was asked meanwhile", async () => {
    const work = allAtWork(async (tenants) => {
      const answer = await world.ledger.changes(tenants);
      if (asked > 1) return answer;
      await world.clock.timer(900).elapsed;
      return { ...answer, standings: new Map([...answer.standings].slice(0, 1)) };
    });
    await world.clock.run(work);
    for (const tenant of TENANTS) expect(stateOf(tenant, "delivered")).toBe(EVENTS);
  });

  it("ask no more for one that was cut off, when its claim is over", async () => {
    const askedFor: string[][] = [];
    const ledger: Ledger = {
      ...world.ledger,
      changes(tenants) {
        askedFor.push([...tenants]);
        return world.ledger.changes(tenants);
      },
    };
    const { deliver } = createIsolate(world, { broken: { ledger } });
    const targets = { pager: {}, mail: {} };
    for (const tenant of ["acme", "bolt"]) world.tenants.put(tenant, { targets });
    const transport = { ...world.transport, send: () => new Promise<never>(() => {}) };
    const cutOff = { ...deliver, transport, clock: dyingClock(world) };
    void deliverBatch("normal", messages("pager", 1, "bolt"), cutOff);
    await world.clock.advance(10);
    await world.clock.run(deliverBatch("normal", messages("pager"), deliver));
    expect(askedFor.at(-1)).toEqual(["bolt", "acme"]);
    await world.clock.advance(LEASE_SECONDS * 1_000);
    await world.clock.run(deliverBatch("normal", messages("mail"), deliver));
    expect(askedFor.at(-1)).toEqual(["acme"]);
  });

  it.each([
    ["that are at work", CHANGES_ASK_MS * 2, []],
    ["that begin then", 5_000, ["mail"]],
  ])("ask again when the clock is set back: those %s", async (_, afterMs, then) => {
    let backMs = 0;
    const clock = { ...world.clock, nowMs: () => world.clock.nowMs() - backMs };
    const { deliver } = createIsolate(world, { broken: { clock } });
    world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
    const work = [deliverBatch("normal", messages("pager"), deliver)];
    await world.clock.advance(afterMs);
    backMs = 3_600_000;
    for (const more of then) work.push(deliverBatch("normal", messages(more), deliver));
    await world.clock.advance(100);
    world.tenants.put("acme", { targets: { pager: PAUSED, mail: PAUSED } });
    const pausedAtMs = world.clock.nowMs();
    await world.clock.run(Promise.all(work));
    expect(Math.max(...beginsMs)).toBeLessThan(pausedAtMs + 1_000);
    expect(stateOf("acme", "parked")).toBeGreaterThan(0);
  });

  it("ask for themselves when the one who asked has no answer", async () => {
    const started = {
      work: allAtWork((tenants) =>
        asked === 1 ? new Promise<never>(() => {}) : world.ledger.changes(tenants),
      ),
    };
    await world.clock.advance(600);
    pauseAll();
    await world.clock.run(started.work);
    // The first one still waits for its answer.
    expect(stateOf("acme", "delivered")).toBe(EVENTS);
    for (const tenant of ["bolt", "cell"]) {
      expect(stateOf(tenant, "parked")).toBeGreaterThan(0);
    }
  });
});
