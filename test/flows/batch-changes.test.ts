/** What operators change while a batch is made holds for it as well, if making it takes long. */
import { beforeEach, describe, expect, it } from "vitest";
import { BATCH_ASK_MS_MAX, BATCH_LEASE_MARGIN_MS } from "../../src/core/batch/limits.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import { CHANGES_ASK_MS } from "../../src/core/operator-limits.ts";
import { uncontrolled } from "../../src/core/queue-control.ts";
import { configureGate } from "../../src/flows/configure-gate.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { lookForBatch, sendBatch, takeBatch } from "../../src/flows/send-batch.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { batchedTenant, bringTo, cameTo, elementsOf, SINK, type TargetSketch } from "./batching.ts";
import { down } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  createIsolate(world);
});

const MAKING_MS = 3_000;
const tenantWith = (more?: TargetSketch) => batchedTenant(world, { seconds: 1 }, more);
const rows = () => [...world.ledger.deliveries.values()];
const WAITING = { state: "parked", attempts: 0, token: "", log: [] };

/** A gate whose archive answers after so long, and the ledger with these methods. */
function slowly(ms: number, ledger: Partial<DeliverPorts["ledger"]> = {}): DeliverPorts {
  const { archive, clock } = world;
  const stream: typeof archive.stream = async (...asked) => {
    await clock.timer(ms).elapsed;
    return archive.stream(...asked);
  };
  const broken = { archive: { ...archive, stream }, ledger: { ...world.ledger, ...ledger } };
  return createIsolate(world, { broken }).deliver;
}

/** Two events for a batch that is made while this happens. */
async function makeWhile(happens: () => void, ledger?: Partial<DeliverPorts["ledger"]>) {
  tenantWith();
  await bringTo(world, ["a", "b"]);
  slowly(MAKING_MS, ledger);
  await world.clock.advance(2_000);
  expect(cameTo(world)).toEqual([]);
  happens();
  await world.clock.advance(MAKING_MS);
}

describe("a batch that is made while its target is changed", () => {
  it.each<[string, () => void]>([
    ["paused", () => tenantWith({ closed: "paused" })],
    ["deleted", () => void world.tenants.put("acme", {})],
    ["deleted with its tenant", () => world.tenants.delete("acme")],
    ["one that gets no batches", () => batchedTenant(world, null)],
  ])("is not sent once that is %s, and counts no attempt", async (_, change) => {
    await makeWhile(change);
    await world.clock.advance(60_000);
    expect(world.transport.sent).toEqual([]);
    expect(rows()).toMatchObject([WAITING, WAITING]);
  });

  it("goes as its first attempt after its target is resumed", async () => {
    await makeWhile(() => tenantWith({ closed: "paused" }));
    await world.clock.advance(60_000);
    expect(world.transport.sent).toEqual([]);
    tenantWith();
    await world.clock.run(configureGate(SINK, createIsolate(world).deliver));
    await world.clock.advance(2_000);
    expect(cameTo(world)).toEqual([["a", "b"]]);
    expect(rows()).toMatchObject(Array(2).fill({ state: "delivered", attempts: 1 }));
  });

  it("goes to the new URL alone", async () => {
    await makeWhile(() => tenantWith({ url: "https://new.example.com/" }));
    await world.clock.advance(MAKING_MS + 1_000);
    expect(world.transport.sent.map(({ url }) => url)).toEqual(["https://new.example.com/"]);
    expect(rows()).toMatchObject(Array(2).fill({ state: "delivered", attempts: 1 }));
  });

  it("waits when the queue that its events came by is paused, and goes when that is resumed", async () => {
    const pause = (isPaused: boolean) =>
      void world.ledger.controls.set("normal", { ...uncontrolled("normal"), isPaused });
    await makeWhile(() => pause(true));
    expect(world.transport.sent).toEqual([]);
    expect(rows()).toMatchObject([WAITING, WAITING]);
    pause(false);
    await world.clock.run(configureGate(SINK, createIsolate(world).deliver));
    await world.clock.advance(2_000);
    expect(cameTo(world)).toEqual([["a", "b"]]);
  });

  it("is not sent when that happens while a token is asked for", async () => {
    const tokenUrl = "https://login.example.com/token";
    const auth = { scheme: "oauth2", tokenUrl, clientId: "box", clientSecret: "s3cret" } as const;
    tenantWith({ auth });
    world.transport.answer = async () => {
      await world.clock.timer(MAKING_MS).elapsed;
      return { ...response(200), body: '{"access_token":"t","token_type":"Bearer"}' };
    };
    await bringTo(world, ["a"]);
    await world.clock.advance(2_000);
    tenantWith({ auth, closed: "paused" });
    await world.clock.advance(60_000);
    expect(world.transport.sent.map(({ url }) => url)).toEqual([tokenUrl]);
    expect(rows()).toMatchObject([WAITING]);
  });
});

describe("a batch of which nobody says whether it may go", () => {
  it.each<[string, () => Promise<never>]>([
    ["does not answer", () => new Promise(() => {})],
    ["fails", down],
  ])("is given back when the ledger %s, and goes later", async (_, changes) => {
    await makeWhile(() => {}, { changes });
    await world.clock.advance(BATCH_ASK_MS_MAX);
    expect(world.transport.sent).toEqual([]);
    expect(rows()).toMatchObject([WAITING, WAITING]);
    slowly(MAKING_MS);
    await world.clock.advance(2 * MAKING_MS + BATCH_ASK_MS_MAX);
    expect(world.transport.sent.map((sent) => elementsOf(sent).length)).toEqual([2]);
    expect(rows()).toMatchObject(Array(2).fill({ state: "delivered", attempts: 1 }));
  });
});

describe("a batch whose process stands still with it", () => {
  it("is not sent when its lease may end before its request, and goes later", async () => {
    tenantWith();
    await bringTo(world, ["a"]);
    const { deliver } = createIsolate(world);
    const answers: (Answer | null)[] = [];
    world.gates.sendBy({
      look: (id, limits) => lookForBatch(id, limits, deliver),
      take: (due) => takeBatch(due, deliver),
      async send(held) {
        if (answers.length === 0) await world.clock.timer(BATCH_LEASE_MARGIN_MS).elapsed;
        const answer = await sendBatch(held, deliver);
        answers.push(answer);
        return answer;
      },
    });
    await world.clock.advance(BATCH_LEASE_MARGIN_MS + 10_000);
    expect(answers).toEqual([null, response(200)]);
    expect(cameTo(world)).toEqual([["a"]]);
    expect(rows()).toMatchObject([{ state: "delivered", attempts: 1 }]);
  });
});

describe("a batch", () => {
  it.each([
    [CHANGES_ASK_MS - 100, 0],
    [CHANGES_ASK_MS + 100, 1],
  ])("that is made in %d ms asks what has changed so often: %d", async (makingMs, times) => {
    let asked = 0;
    const changes: DeliverPorts["ledger"]["changes"] = (tenants) => {
      asked += 1;
      return world.ledger.changes(tenants);
    };
    tenantWith();
    await bringTo(world, ["a"]);
    slowly(makingMs, { changes });
    await world.clock.advance(5_000);
    expect([cameTo(world), asked]).toEqual([[["a"]], times]);
  });
});
