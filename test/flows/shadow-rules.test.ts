/** Shadow rules on the way of an event: nothing is delivered by them, and what they match reaches the limiter. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_TTL_MS, SHADOW_TOLD_MS } from "../../src/core/limits.ts";
import type { ShadowMatches } from "../../src/core/shadow.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import { createIsolate, type Isolate } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { ACME, createSender, type Sender, webhook } from "./sender.ts";

const SHADOW: RuleSketch = {
  pattern: { data: { kind: ["order"] } },
  targets: ["pager"],
  mode: "shadow",
};
const ORDER = '{"kind":"order"}';
const OTHER = '{"kind":"other"}';

let sender: Sender;

beforeEach(() => {
  sender = createSender();
  putRules({ tried: SHADOW });
});

function putRules(rules: Readonly<Record<string, RuleSketch>>): number {
  const { revision } = sender.world.tenants.put("acme", { ...ACME, rules });
  sender.isolate.deliver.directory.forget("acme");
  return revision;
}

/** As the door sends it, which lets work run on; answers once it is accepted, with that work. */
async function deferring(
  body: string,
  isolate: Isolate = sender.isolate,
): Promise<{ readonly work: Promise<unknown> }> {
  const deferred: Promise<unknown>[] = [];
  const defer = (work: Promise<unknown>) => void deferred.push(work);
  const sent = { ...webhook("acme/open", body, {}), defer };
  await sender.world.clock.run(acceptEvent(sent, isolate.accept));
  return { work: Promise.all(deferred) };
}

const counted = (): Promise<readonly ShadowMatches[]> => sender.world.limiter.shadowMatches("acme");
const matchedOf = async (): Promise<number | undefined> => (await counted())[0]?.matched;

describe("an event that only shadow rules match", () => {
  it("is accepted for no delivery, as one that nothing matches", async () => {
    const [event] = await sender.accepted("acme/open", ORDER);
    expect(event).toMatchObject({ deliveries: 0, priorities: [] });
    expect(sender.recordsIn("bulk")).toMatchObject([{ subscriptions: [], priority: "bulk" }]);
  });

  it("goes where live rules send it, as if the shadow rule were not there", async () => {
    putRules({ tried: SHADOW, orders: { ...SHADOW, mode: "live", targets: ["mail"] } });
    await sender.accepted("acme/open", ORDER);
    const [record] = sender.recordsIn("normal");
    expect(record?.subscriptions).toEqual([{ rule: "orders", target: "mail", priority: "normal" }]);
  });
});

describe("the matches of a shadow rule", () => {
  it("ride on the next call to the limiter, and cost none of their own", async () => {
    const { clock, limiter } = sender.world;
    for (const body of [ORDER, OTHER, ORDER]) await sender.accepted("acme/open", body);
    const matchedAtMs = clock.nowMs();
    expect(limiter.asked).toHaveLength(1);
    await clock.advance(LEASE_TTL_MS);
    await sender.accepted("acme/open", OTHER);
    expect(limiter.asked).toHaveLength(2);
    const version = sender.world.tenants.revision("acme");
    expect(await counted()).toEqual([
      { rule: "tried", version, matched: 2, lastMatchedAtMs: matchedAtMs },
    ]);
  });

  it("are told although no other event comes, by one call for all", async () => {
    const { clock, limiter } = sender.world;
    const accepting = [await deferring(ORDER), await deferring(ORDER), await deferring(ORDER)];
    expect(await matchedOf()).toBeUndefined();
    await clock.run(Promise.all(accepting.map(({ work }) => work)));
    expect(await matchedOf()).toBe(3);
    expect(limiter.asked).toHaveLength(2);
  });

  it("of an event that came just after a call are told although it was the last", async () => {
    const { clock } = sender.world;
    const { work } = await deferring(ORDER);
    await clock.advance(LEASE_TTL_MS);
    await deferring(ORDER);
    expect(await matchedOf()).toBe(1);
    await clock.run(work);
    expect(await matchedOf()).toBe(2);
  });

  it("are told in seconds while events keep coming, each once", async () => {
    const { clock } = sender.world;
    const deferred: Promise<unknown>[] = [];
    for (let at = 0; at < 40; at += 1) {
      deferred.push((await deferring(ORDER)).work);
      await clock.advance(150);
    }
    const late = (2 * SHADOW_TOLD_MS + LEASE_TTL_MS) / 150;
    expect(await matchedOf()).toBeGreaterThan(40 - late);
    await clock.run(Promise.all(deferred));
    expect(await matchedOf()).toBe(40);
    const told = sender.world.limiter.asked.filter((asked) => asked.shadowMatches !== undefined);
    expect(told.length).toBeLessThanOrEqual((2 * 40 * 150) / SHADOW_TOLD_MS + 1);
  });

  it("are kept while the limiter cannot be reached, and told when it can", async () => {
    const { clock, limiter } = sender.world;
    const { lease } = limiter;
    await sender.accepted("acme/open", OTHER);
    limiter.lease = () => Promise.reject(new Error("down"));
    await clock.run((await deferring(ORDER)).work);
    expect(await counted()).toEqual([]);
    limiter.lease = lease;
    await clock.advance(SHADOW_TOLD_MS);
    await sender.accepted("acme/open", OTHER);
    expect(await matchedOf()).toBe(1);
  });

  it("of several isolates add up", async () => {
    const isolates = [sender.isolate, createIsolate(sender.world, { seed: 2 })];
    for (const isolate of isolates) {
      await sender.world.clock.run((await deferring(ORDER, isolate)).work);
    }
    expect(await matchedOf()).toBe(2);
  });

  it("count anew when the rule has another version, and are not told of one that is live", async () => {
    const { clock } = sender.world;
    await clock.run((await deferring(ORDER)).work);
    const version = putRules({ tried: SHADOW });
    await clock.run((await deferring(ORDER)).work);
    expect(await counted()).toMatchObject([{ version, matched: 1 }]);
    putRules({ tried: { ...SHADOW, mode: "live" } });
    await clock.run((await deferring(ORDER)).work);
    expect(await counted()).toMatchObject([{ version, matched: 1 }]);
  });

  it("are nothing where there is no shadow rule: nothing runs on, no call says a word of it", async () => {
    putRules({ orders: { ...SHADOW, mode: "live" } });
    const deferred: unknown[] = [];
    const defer = (work: unknown) => void deferred.push(work);
    for (let at = 0; at < 3; at += 1) {
      const sent = { ...webhook("acme/open", ORDER, {}), defer };
      await sender.world.clock.run(acceptEvent(sent, sender.isolate.accept));
      await sender.world.clock.advance(LEASE_TTL_MS);
    }
    expect(deferred).toEqual([]);
    for (const asked of sender.world.limiter.asked)
      expect(asked).not.toHaveProperty("shadowMatches");
  });
});
