/** The Durable Object of a saga, whose instance leaves the memory: evicted at rest, aborted in its requests. */
import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSagas } from "../../src/adapters/sagas.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { meter } from "../../src/compose.ts";
import type { Json } from "../../src/core/json.ts";
import type { CommandKind } from "../../src/core/saga/commands.ts";
import type { NodeDoc, StepDoc } from "../../src/core/saga/definition.ts";
import { pack, unpack } from "../../src/core/saga/text.ts";
import type { SagaView } from "../../src/ports/saga.ts";

type Answered = number | "nothing";

/** What came to the participants, by path; each has its effect once for a key. */
const participants = {
  asked: [] as string[],
  effects: [] as string[],
  answers: new Map<string, number>(),
  /** Of a path, the first time and later. */
  reply: (_path: string, _isFirst: boolean): Answered => 200,
};

function receive(url: string, key: string): Promise<Response> {
  const path = new URL(url).pathname.slice(1);
  participants.asked.push(path);
  const before = participants.answers.get(key);
  const said = participants.reply(path, before === undefined);
  if (before === undefined) {
    const status = said === "nothing" ? 200 : said;
    participants.answers.set(key, status);
    if (status === 200) participants.effects.push(path);
  }
  const status = before ?? said;
  if (said === "nothing" || status === "nothing") return new Promise(() => {});
  return Promise.resolve(Response.json({ id: 1 }, { status }));
}

beforeEach(() => {
  participants.asked = [];
  participants.effects = [];
  participants.answers.clear();
  participants.reply = () => 200;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) => {
    const headers = new Headers(init?.headers as HeadersInit);
    return receive(String(input), headers.get("idempotency-key") ?? "");
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

const sagas = createSagas(env.SAGA, createMeter());
let instances = 0;

const step = (name: string, more: Partial<StepDoc> = {}): StepDoc => ({
  ...{ name, action: { http: { url: `https://x.example/${name}` } } },
  compensate: { http: { url: `https://x.example/un-${name}` } },
  ...more,
});

async function start(steps: readonly NodeDoc[], input: Json = null) {
  instances += 1;
  const id = `sga_object_${instances}`;
  await sagas.start({
    ...{ id, tenant: "acme", saga: "order", version: 1, key: id, correlationId: null },
    ...{ doc: { steps }, input, startedAtMs: Date.now() },
  });
  const stub = () => env.SAGA.getByName(id);
  const view = async (): Promise<SagaView> => {
    const found = await sagas.view(id);
    if (found === null) throw new Error("there is no instance");
    return found;
  };
  return {
    view,
    evict: () => evictDurableObject(stub()),
    alarm: () => runDurableObjectAlarm(stub()),
    storage: (work: (storage: DurableObjectStorage) => void) =>
      runInDurableObject(stub(), (_, state) => work(state.storage)),
    receive: (eventId: string, type: string) => sagas.receive(id, eventId, { type }),
    command: (kind: CommandKind, named?: string) =>
      sagas.command(id, { kind, reason: "a test", step: named }, undefined),
    until: (shape: Partial<SagaView>) =>
      vi.waitFor(async () => expect(await view()).toMatchObject(shape), { timeout: 4_000 }),
  };
}

/** Aborts the object in the first request of every step and undo; its alarm then has it go on. */
async function abortInEach(saga: Awaited<ReturnType<typeof start>>, requests: readonly string[]) {
  for (const [at, path] of requests.entries()) {
    await vi.waitFor(() => expect(participants.asked[at * 2]).toBe(path), { timeout: 4_000 });
    await abortAllDurableObjects();
    saga.alarm().catch(() => {}); // it is aborted as well
    await vi.waitFor(() => expect(participants.asked[at * 2 + 1]).toBe(path), { timeout: 4_000 });
  }
}

describe("an object that is aborted in every request", () => {
  it("goes on with its alarm, and each step has its effect once", async () => {
    participants.reply = (_, isFirst) => (isFirst ? "nothing" : 200);
    const saga = await start([step("a"), step("b"), step("c")]);
    await abortInEach(saga, ["a", "b", "c"]);
    await saga.until({ status: "COMPLETED" });
    expect(participants.effects).toEqual(["a", "b", "c"]);
    expect((await saga.view()).steps.map(({ attempts }) => attempts)).toEqual([2, 2, 2]);
  });

  it("undoes each step once, the last first", async () => {
    participants.reply = (path, isFirst) => (path === "c" ? 422 : isFirst ? "nothing" : 200);
    const saga = await start([step("a"), step("b"), step("c")]);
    await abortInEach(saga, ["a", "b"]);
    for (const [at, path] of ["un-b", "un-a"].entries()) {
      const index = 5 + at * 2; // c is asked once
      await vi.waitFor(() => expect(participants.asked[index]).toBe(path), { timeout: 4_000 });
      await abortAllDurableObjects();
      saga.alarm().catch(() => {}); // it is aborted as well
      await vi.waitFor(() => expect(participants.asked[index + 1]).toBe(path), { timeout: 4_000 });
    }
    await saga.until({ status: "COMPENSATED" });
    expect(participants.effects).toEqual(["a", "b", "un-b", "un-a"]);
  });
});

describe("an object", () => {
  it("writes six rows for four steps, its alarm included", async () => {
    const before = meter.read().durable_object_rows_written;
    const saga = await start([step("a"), step("b"), step("c"), step("d")]);
    await saga.until({ status: "COMPLETED" });
    expect(meter.read().durable_object_rows_written - before).toBe(6);
  });

  it("writes one row more for one more step", async () => {
    const before = meter.read().durable_object_rows_written;
    const saga = await start([step("a"), step("b"), step("c"), step("d"), step("e")]);
    await saga.until({ status: "COMPLETED" });
    expect(meter.read().durable_object_rows_written - before).toBe(7);
  });

  it("takes a start and a first request that together are too large for one value", async () => {
    const text = "日".repeat(250_000); // three bytes each
    const http = (name: string, body: Json) => ({
      action: { http: { url: `https://x.example/${name}`, body } },
    });
    const steps = [
      step("a", http("a", "$.input.text")),
      { name: "pause", delay: { seconds: 3_600 } },
      step("b", http("b", "x".repeat(250_000))),
    ];
    const saga = await start(steps, { text, more: "日".repeat(80_000) });
    await vi.waitFor(() => expect(participants.effects).toEqual(["a"]));
    await saga.evict();
    const [first] = (await saga.view()).steps;
    expect(first).toMatchObject({ state: "succeeded", attempts: 1 });
    await saga.command("skip-step", "pause");
    await saga.until({ status: "COMPLETED" });
  });

  it("goes on with a journal that an older deployment kept in a table", async () => {
    const saga = await start([{ name: "pause", delay: { seconds: 3_600 } }, step("a")]);
    const before = await saga.view();
    await saga.storage(({ kv, sql }) => {
      const [first = "", ...rows] = [...kv.list<Uint8Array>()].map(([, bytes]) =>
        new TextDecoder().decode(bytes),
      );
      const [begun, row] = unpack<[Json, Json]>(first);
      sql.exec("CREATE TABLE journal (rev INTEGER PRIMARY KEY, content TEXT NOT NULL)");
      for (const [rev, content] of [pack(begun), pack(row), ...rows].entries())
        sql.exec("INSERT INTO journal VALUES (?, ?)", rev, content);
      for (const [name] of [...kv.list()]) kv.delete(name);
    });
    await saga.evict();
    expect(await saga.view()).toEqual(before);
    await saga.command("skip-step", "pause");
    await saga.until({ status: "COMPLETED" });
    await saga.storage(({ sql }) => {
      expect(sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'journal'").toArray()).toEqual([]);
    });
  });
});

describe("an object that is evicted whenever it rests", () => {
  it("is kept in memory by no request that has been answered", async () => {
    const saga = await start([step("a", { timeoutSeconds: 60 })]);
    await saga.until({ status: "COMPLETED" });
    await saga.evict(); // waits for all that the object still has to do
    expect(await saga.view()).toMatchObject({ status: "COMPLETED" });
  });

  it("keeps an early event for the step that waits for it", async () => {
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 3_600 };
    const saga = await start([
      { name: "pause", delay: { seconds: 3_600 } },
      { name: "paid", wait },
      step("ship"),
    ]);
    await saga.evict();
    await saga.receive("evt_1", "paid");
    await saga.evict();
    await saga.command("skip-step", "pause");
    await saga.until({ status: "COMPLETED" });
    await saga.evict();
    expect(await saga.view()).toMatchObject({ status: "COMPLETED", inFlight: 0 });
    expect(participants.asked).toEqual(["ship"]);
  });

  it("stays paused, and goes on where it was when it is resumed", async () => {
    const saga = await start([{ name: "pause", delay: { seconds: 3_600 } }, step("a")]);
    await saga.command("pause");
    await saga.evict();
    await saga.command("skip-step", "pause");
    await saga.evict();
    expect(await saga.view()).toMatchObject({ status: "RUNNING", paused: true });
    expect(participants.asked).toEqual([]);
    await saga.command("resume");
    await saga.until({ status: "COMPLETED" });
    expect(participants.asked).toEqual(["a"]);
  });

  it("stays stuck until a person has its step done once more", async () => {
    let status = 503;
    participants.reply = () => status;
    const retry = { maxAttempts: 1, initialSeconds: 1, factor: 1, maxSeconds: 1 };
    const saga = await start([step("a", { pivot: true, retry })]);
    await saga.until({ status: "STUCK" });
    await saga.evict();
    expect(await saga.view()).toMatchObject({ status: "STUCK", steps: [{ state: "given-up" }] });
    status = 200;
    participants.answers.clear();
    await saga.command("retry-step", "a");
    await saga.until({ status: "COMPLETED" });
  });
});
