/** A gate that sends batches fails, hangs or dies at every call it makes: nothing is lost, and little is repeated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchLimitsOf } from "../../src/core/batch/batch.ts";
import { GATE_PAUSE_MS_MIN } from "../../src/core/gate-limits.ts";
import { CHANGES_ASK_MS } from "../../src/core/operator-limits.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { boundTo } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { elementsOf } from "./batching.ts";
import { consume, messageWith } from "./consumer.ts";

/** What happens at one call: it fails before or after its work, never ends, or its process dies before or after. */
const FATES = ["throws", "throws after", "hangs", "dies", "dies after"] as const;
type Fate = (typeof FATES)[number];

const KEYS = ["a", "b", "c", "d", "e"];
const gate = {
  ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: false },
  batch: batchLimitsOf({ seconds: 2, events: 3 }),
};

/** One process, whose call number `at` (from 0) has that fate. */
function createLife(at: number, fate: Fate) {
  let calls = 0;
  const life = { isDead: false, hit: null as string | null };
  const never = new Promise<never>(() => {});
  async function call<T>(name: string, work: () => Promise<T>): Promise<T> {
    if (life.isDead) return never;
    const isIt = calls === at;
    calls += 1;
    if (!isIt) {
      const answer = await work();
      return life.isDead ? never : answer;
    }
    life.hit = name;
    // The way out has a time of its own, and says so.
    if (fate === "hangs" && name !== "send") return never;
    if (fate === "throws") throw new Error(`${name} fails`);
    if (fate === "dies") {
      life.isDead = true;
      return never;
    }
    await work();
    if (fate === "throws after") throw new Error(`${name} fails`);
    if (fate === "dies after") life.isDead = true;
    return never;
  }
  const wrapped = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, property, receiver) {
        const member: unknown = Reflect.get(target, property, receiver);
        if (typeof member !== "function" || typeof property !== "string") return member;
        return (...parameters: unknown[]) => call(property, () => member.apply(target, parameters));
      },
    });
  return { life, wrapped };
}

/** So slow that each batch asks what has changed meanwhile. */
function slowArchive({ archive, clock }: World): DeliverPorts["archive"] {
  const stream: typeof archive.stream = async (...asked) => {
    await clock.timer(CHANGES_ASK_MS).elapsed;
    return archive.stream(...asked);
  };
  return { ...archive, stream };
}

/** Until nothing is owed, with a sweep a minute by whoever lives. */
async function live(at: number, fate: Fate) {
  const world = createWorld();
  world.tenants.put("acme", { targets: { sink: { gate, retry: { delaysSeconds: [5, 5, 5] } } } });
  const { life, wrapped } = createLife(at, fate);
  const isMemo = fate !== "hangs"; // its storage hangs only with the whole object
  if (isMemo) world.gates.memoBy(wrapped);
  const { deliver } = createIsolate(world);
  const broken: Partial<DeliverPorts> = {
    archive: wrapped(slowArchive(world)),
    ledger: { ...world.ledger, changes: wrapped(world.ledger).changes },
    batches: async () => wrapped(await deliver.batches()),
    pulls: async () => wrapped(await deliver.pulls()),
    transport: { send: (request) => sending(() => world.transport.send(request)) },
  };
  const port = wrapped({ send: (work: () => unknown) => Promise.resolve(work()) });
  const sending = (work: () => Promise<ReturnType<typeof response>>) =>
    // What fails there is an answer.
    (port.send(work) as Promise<ReturnType<typeof response>>).catch(
      (): ReturnType<typeof response> => ({ kind: "network", detail: "lost" }),
    );
  const said = new Set<string>();
  world.transport.answer = (sent) => {
    const failed = elementsOf(sent).filter(({ data }) => data.key === "b" && !said.has("b"));
    for (const { data } of failed) said.add(data.key);
    const ids = failed.map(({ signalboxdelivery }) => signalboxdelivery);
    return { ...response(200), body: JSON.stringify({ failed: ids }) } as never;
  };
  for (const key of KEYS) {
    const to = [boundTo("sink")];
    await consume(world, "normal", [messageWith({ key, to }, JSON.stringify({ key }))]);
  }
  // From now on its gate works by these, as the objects have one isolate.
  createIsolate(world, { broken });
  let isBuried = false;
  for (let second = 1; second <= 360; second += 1) {
    await world.clock.advance(1_000);
    if (life.isDead && !isBuried) {
      isBuried = true;
      world.gates.memoBy((memo) => memo);
      world.gates.restart();
      createIsolate(world);
    }
    if (second % 60 === 0) await world.clock.run(sweep("overdue", deliver));
  }
  return { world, hit: life.hit };
}

const timesOf = (world: World, key: string): number =>
  world.transport.sent.flatMap(elementsOf).filter(({ data }) => data.key === key).length;

describe("a gate that sends batches", () => {
  it.each(FATES)(
    "loses nothing when any call %s, and repeats a delivery once at most",
    async (fate) => {
      const hits: string[] = [];
      for (let at = 0; ; at += 1) {
        const { world, hit } = await live(at, fate);
        const rows = [...world.ledger.deliveries.values()];
        expect([at, hit, rows.map(({ state }) => state)]).toEqual([
          at,
          hit,
          KEYS.map(() => "delivered"),
        ]);
        for (const key of KEYS) {
          // `b` is refused the first time.
          const wanted = key === "b" ? 2 : 1;
          const isOnceMore = timesOf(world, key) === wanted + 1;
          expect([at, hit, key, timesOf(world, key)]).toEqual([
            ...[at, hit, key, isOnceMore ? wanted + 1 : wanted],
          ]);
        }
        const ids = world.transport.sent.flatMap(elementsOf);
        expect(new Set(ids.map((each) => each.signalboxdelivery)).size).toBe(KEYS.length);
        if (hit === null) break;
        hits.push(hit);
      }
      const stores = ["look", "stream", "lease", "changes", "send", "settle", "nextDueInMs"];
      const memo = ["read", "alarmMs", "write", "setAlarm"];
      expect(new Set(hits)).toEqual(new Set([...stores, ...(fate === "hangs" ? [] : memo)]));
    },
    120_000,
  );
});

describe("batches while their gate is open", () => {
  it("are never late, never too many and never too large, but for one event alone", async () => {
    const arrival = fc.record({
      afterMs: fc.integer({ min: 0, max: 3_000 }),
      bytes: fc.constantFrom(10, 10, 400, 900, 2_500),
    });
    const limits = fc.record({
      seconds: fc.integer({ min: 1, max: 4 }),
      kilobytes: fc.integer({ min: 1, max: 5 }),
      events: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(arrival, { minLength: 1, maxLength: 14 }),
        limits,
        async (arrivals, body) => {
          const batch = batchLimitsOf(body);
          const world = createWorld();
          world.tenants.put("acme", { targets: { sink: { gate: { ...gate, batch } } } });
          createIsolate(world);
          const cameAtMs = new Map<string, number>();
          for (const [at, { afterMs, bytes }] of arrivals.entries()) {
            await world.clock.advance(afterMs);
            const key = `${at}`;
            const to = [boundTo("sink")];
            const receivedAtMs = world.clock.nowMs();
            const data = JSON.stringify({ key, x: "x".repeat(bytes) });
            await consume(world, "normal", [messageWith({ key, to, receivedAtMs }, data)]);
            cameAtMs.set(key, world.clock.nowMs());
          }
          await world.clock.advance(batch.waitMs + 1_000);
          const seen: string[] = [];
          for (const sent of world.transport.sent) {
            const elements = elementsOf(sent);
            const { length } = sent.body as Uint8Array;
            expect(elements.length).toBeLessThanOrEqual(batch.eventsMax);
            if (elements.length > 1) expect(length).toBeLessThanOrEqual(batch.bytesMax);
            for (const { data } of elements) {
              seen.push(data.key);
              const waitedMs = sent.atMs - (cameAtMs.get(data.key) ?? 0);
              expect(waitedMs).toBeLessThanOrEqual(batch.waitMs + GATE_PAUSE_MS_MIN);
            }
          }
          expect(seen.sort()).toEqual([...cameAtMs.keys()].sort());
        },
      ),
      { numRuns: 100 },
    );
  }, 60_000);
});
