/** An instance and its driver: what is written before and after each request, and what a death leaves. */
import { beforeEach, describe, expect, it } from "vitest";
import { compileSaga } from "../../src/core/saga/definition.ts";
import { fold } from "../../src/core/saga/fold.ts";
import { startInstance } from "../../src/core/saga/instance.ts";
import {
  SAGA_BODY_BYTES_MAX,
  SAGA_HEAD_CHARACTERS_MAX,
  SAGA_INPUT_BYTES_MAX,
  SAGA_JOURNAL_ROWS_MAX,
  SAGA_OUTPUT_BYTES_MAX,
  SAGA_ROW_CHARACTERS_MAX,
  SAGA_STEPS_MAX,
  SAGA_WATCHDOG_MS,
} from "../../src/core/saga/limits.ts";
import { pack } from "../../src/core/saga/text.ts";
import { idle } from "../support/fake-clock.ts";
import { response } from "../support/memory-transport.ts";
import {
  createSagaWorld,
  LIVES,
  life,
  liveSo,
  RETRY,
  type SagaWorld,
  step,
} from "./saga-instance.ts";

let world: SagaWorld;

beforeEach(() => {
  world = createSagaWorld();
});

describe.each(LIVES)("an instance$life", ({ dies }) => {
  liveSo(dies);

  it("writes each intent before its request, and each answer with the next intent", async () => {
    await world.start([step("a"), step("b"), step("c"), step("d")]);
    expect(await world.view()).toMatchObject({ status: "COMPLETED", rev: life.dies ? 9 : 5 });
    expect(
      world.journal().rows.map(({ entries }) => entries.map(({ kind }) => kind).join("+")),
    ).toEqual([
      ...["request", "answer+request", "answer+request", "answer+request"].flatMap((row) =>
        life.dies ? [row, "request"] : [row],
      ),
      "answer+status",
    ]);
  });

  it("is what the fold of its journal is, and an eviction changes nothing", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await world.start([step("a"), step("b")]);
    const before = await world.view();
    world.sagas.evict();
    expect(await world.view()).toEqual(before);
    const { start: begun, rows } = world.journal();
    if (begun === null) throw new Error("it was not started");
    const folded = rows.reduce(
      (instance, { entries, atMs }) => fold(instance, entries, atMs),
      startInstance(compileSaga(begun.doc), begun.input, begun.startedAtMs),
    );
    expect(folded).toMatchObject({ status: "COMPENSATED" });
  });

  it("started again is the one that there is", async () => {
    await world.start([step("a")]);
    await world.start([step("b")]);
    expect(world.paths()).toEqual(["a"]);
  });

  it("sends the same bytes under the same key at every attempt", async () => {
    world.transport.answer = () => response(world.transport.sent.length < 3 ? 503 : 200);
    await world.start([
      step("a", { action: { http: { url: "https://x.example/a", body: "$.input" } } }),
    ]);
    await world.pass(60);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(
      new Set(world.transport.sent.map(({ headers }) => headers.get("idempotency-key"))),
    ).toEqual(new Set(["sbx_sga_1_a_a_0"]));
    expect(new Set(world.transport.sent.map(({ body }) => `${body}`)).size).toBe(1);
  });

  it("honours Retry-After, and gives up when its attempts are spent", async () => {
    world.transport.answer = () => response(503, 20_000);
    await world.start([step("a")]);
    await world.pass(15);
    expect(world.transport.sent).toHaveLength(1);
    await world.pass(600);
    // What is in doubt is settled once more before the saga is given up for compensated.
    expect(await world.view()).toMatchObject({
      status: "STUCK",
      reason: expect.stringMatching(/in doubt/),
    });
  });

  it("whose template names nothing sends nothing, and undoes what it did", async () => {
    const http = { url: "https://x.example/b", body: "$.steps.a.output.none" };
    await world.start([step("a"), step("b", { action: { http } })]);
    expect(world.paths()).toEqual(["a", "un-a"]);
    expect((await world.view()).reason).toBe("b: $.steps.a.output.none is not there");
  });

  it("keeps no output that is too long", async () => {
    const body = `"${"x".repeat(SAGA_OUTPUT_BYTES_MAX)}"`;
    world.transport.answer = () => ({ kind: "response", status: 200, retryAfterMs: null, body });
    await world.start([step("a")]);
    expect(await world.view()).toMatchObject({ status: "COMPLETED", steps: [{ output: null }] });
  });

  it("keeps early and repeated events for the step that waits for them", async () => {
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 3_600 };
    await world.start([
      { name: "pause", delay: { seconds: 60 } },
      { name: "paid", wait },
      step("b"),
    ]);
    const paid = { type: "paid", data: { n: 1 } };
    for (const id of ["evt_1", "evt_1", "evt_2"]) await world.receive(id, paid);
    await world.pass(61);
    expect(await world.view()).toMatchObject({
      status: "COMPLETED",
      steps: [{}, { output: paid }, { state: "succeeded" }],
    });
  });

  it.each([
    ["compensate", "COMPENSATED"],
    ["continue", "COMPLETED"],
    ["stuck", "STUCK"],
  ] as const)("that waits in vain: %s", async (onTimeout, status) => {
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 30, onTimeout };
    await world.start([step("a"), { name: "paid", wait }]);
    await world.pass(31);
    expect((await world.view()).status).toBe(status);
  });

  it("past its deadline is compensated", async () => {
    const steps = [step("a"), { name: "b", delay: { seconds: 3_600 } }];
    await world.start(steps, { deadlineSeconds: 30 });
    await world.pass(31);
    expect(await world.view()).toMatchObject({
      ...{ status: "COMPENSATED", reason: "the deadline has passed" },
    });
    expect(world.paths()).toEqual(["a", "un-a"]);
  });

  it("runs branches side by side, and waits for what is under way before it undoes", async () => {
    const answers: ((status: number) => void)[] = [];
    world.transport.answer = ({ url }) =>
      /\/[bc]$/.test(url)
        ? new Promise((resolve) => answers.push((status) => resolve(response(status))))
        : response(200);
    await world.start([step("a"), { parallel: [[step("b")], [step("c")]] }]);
    expect(await world.view()).toMatchObject({ inFlight: 2 });
    answers[0]?.(422);
    await idle();
    expect(world.paths()).toEqual(["a", "b", "c"]);
    answers[1]?.(200);
    await idle();
    expect(world.paths()).toEqual(["a", "b", "c", "un-c", "un-a"]);
    expect((await world.view()).status).toBe("COMPENSATED");
  });
});

describe.each(LIVES)("an instance whose process dies$life", ({ dies }) => {
  liveSo(dies);

  it("in a request makes it once more, under the same key", async () => {
    world.transport.answer = () => new Promise(() => {});
    await world.start([step("a"), step("b")]);
    world.sagas.evict();
    world.transport.answer = () => response(200);
    await world.pass(SAGA_WATCHDOG_MS / 1_000 + 1);
    expect(world.paths()).toEqual(["a", "a", "b"]);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("in every attempt is not tried for ever", async () => {
    world.transport.answer = () => new Promise(() => {});
    await world.start([step("a", { settle: "hold" })]);
    for (let deaths = 0; deaths < 5; deaths += 1) {
      world.sagas.evict();
      await world.clock.advance(SAGA_WATCHDOG_MS + 1);
      void world.sagas.alarms();
      await idle();
    }
    expect(world.transport.sent).toHaveLength(RETRY.maxAttempts);
    expect((await world.view()).status).toBe("STUCK");
  });
});

describe.each(LIVES)("an operator$life", ({ dies }) => {
  liveSo(dies);

  it("who paused sees what is under way, and nothing new begins", async () => {
    let answer = (_: number): void => {};
    world.transport.answer = () =>
      new Promise((resolve) => {
        answer = (status) => resolve(response(status));
      });
    await world.start([step("a"), step("b")]);
    await world.command("pause");
    expect(await world.view()).toMatchObject({ paused: true, inFlight: 1 });
    answer(200);
    await idle();
    expect(await world.view()).toMatchObject({ paused: true, inFlight: 0, status: "RUNNING" });
    expect(world.paths()).toEqual(["a"]);
    await world.command("resume");
    await idle();
    expect(world.paths()).toEqual(["a", "b"]);
  });

  it("who decides by an old state is told the new one", async () => {
    world.transport.answer = () => response(503);
    await world.start([step("a")]);
    const { rev } = await world.view();
    expect((await world.command("pause", rev)).kind).toBe("done");
    expect(await world.command("resume", rev)).toEqual({ kind: "rev-differs", rev: rev + 1 });
  });

  it("who extends the deadline that it is stuck by has it go on", async () => {
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 3_600 };
    const steps = [step("p", { pivot: true }), { name: "paid", wait }, step("b")];
    await world.start(steps, { deadlineSeconds: 30 });
    await world.pass(31);
    const reason = "the deadline has passed";
    expect(await world.view()).toMatchObject({ status: "STUCK", reason });
    await world.command("extend-deadline", undefined, { seconds: 600 });
    await idle();
    expect(await world.view()).toMatchObject({ status: "RUNNING", reason: null });
    await world.receive("evt_1", { type: "paid" });
    await world.pass(1);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(world.paths()).toEqual(["p", "b"]);
  });

  it("stands in the journal with the reason", async () => {
    world.transport.answer = () => response(503);
    await world.start([step("a")]);
    await world.command("abandon");
    const { journal: rows, status } = await world.view();
    expect(status).toBe("FAILED");
    expect(rows.at(-1)?.actor).toEqual({ by: "operator", command: "abandon", reason: "a test" });
    await world.pass(600);
    expect(world.transport.sent).toHaveLength(1);
  });
});

describe("a storage that takes nothing", () => {
  it("has a start fail before anything is sent, and the next one begins", async () => {
    await world.command("pause"); // of nothing: but now there is a journal
    const journal = world.journal();
    const { begin } = journal;
    journal.begin = () => {
      throw new Error("the disk is full");
    };
    await expect(world.start([step("a")])).rejects.toThrow("the disk is full");
    expect(world.paths()).toEqual([]);
    journal.begin = begin;
    await world.start([step("a")]);
    await world.pass(SAGA_WATCHDOG_MS / 1_000);
    expect(await world.view()).toMatchObject({ status: "COMPLETED" });
    expect(world.paths()).toEqual(["a"]);
  });
});

describe.each(LIVES)("the costs$life", ({ dies }) => {
  liveSo(dies);

  it("of many large requests at once are rows that their storage takes", async () => {
    const body = "\u20ac".repeat(SAGA_BODY_BYTES_MAX - 2);
    const branches = Array.from({ length: 20 }, (_, at) => [
      step(`s${at}`, { action: { http: { url: "https://x.example/", body } } }),
    ]);
    await world.start([{ parallel: branches }]);
    expect((await world.view()).status).toBe("COMPLETED");
    const sizes = world.journal().rows.map((row) => pack(row).length);
    expect(Math.max(...sizes)).toBeLessThan(SAGA_ROW_CHARACTERS_MAX + SAGA_BODY_BYTES_MAX);
    expect(Math.max(...sizes) * 3).toBeLessThan(2_000_000);
  });

  it("of many long heads at once are rows that their storage takes", async () => {
    const headers = { "x-long": "x".repeat(SAGA_HEAD_CHARACTERS_MAX - 100) };
    const branches = Array.from({ length: SAGA_STEPS_MAX }, (_, at) => [
      step(`s${at}`, { action: { http: { url: "https://x.example/", headers } } }),
    ]);
    await world.start([{ parallel: branches }]);
    expect((await world.view()).status).toBe("COMPLETED");
    const sizes = world.journal().rows.map((row) => pack(row).length);
    expect(Math.max(...sizes)).toBeLessThan(2_000_000);
  });

  it("of many long answers at once are rows that their storage takes", async () => {
    const body = "\u0001".repeat(SAGA_OUTPUT_BYTES_MAX);
    world.transport.answer = () => ({ kind: "response", status: 200, retryAfterMs: null, body });
    const branches = Array.from({ length: 7 }, (_, at) => [step(`s${at}`)]);
    await world.start([{ parallel: branches }]);
    expect((await world.view()).status).toBe("COMPLETED");
    const sizes = world.journal().rows.map((row) => pack(row).length);
    expect(Math.max(...sizes)).toBeLessThan(2_000_000);
  });

  it("of several waits that end at once are rows that their storage takes", async () => {
    const types = ["paid", "packed", "sent"];
    const waits = types.map((type) => [
      { name: type, wait: { event: { type: [type] }, timeoutSeconds: 60 } },
    ]);
    await world.start([{ name: "pause", delay: { seconds: 30 } }, { parallel: waits }]);
    const data = "x".repeat(SAGA_INPUT_BYTES_MAX - 100);
    for (const type of types) await world.sagas.receive("sga_1", type, { type, data });
    await world.pass(31);
    expect((await world.view()).status).toBe("COMPLETED");
    const sizes = world.journal().rows.map((row) => pack(row).length);
    expect(Math.max(...sizes)).toBeLessThan(2_000_000);
  });

  it("of four steps are six rows, the alarm included: each intent stands beside what led to it", async () => {
    await world.start([step("a"), step("b"), step("c"), step("d")]);
    expect(world.journal().written).toBe(life.dies ? 14 : 6);
  });

  it("of an instance that goes round in a circle end", async () => {
    expect(SAGA_JOURNAL_ROWS_MAX).toBe(10_000);
    world.transport.answer = () => response(503);
    const retry = { delaysSeconds: Array<number>(50).fill(0.001) };
    await world.start([step("a", { retry })]);
    const rows = world.journal().rows as unknown[];
    while (rows.length < SAGA_JOURNAL_ROWS_MAX)
      rows.push({ ...world.journal().rows[0], entries: [] });
    world.sagas.evict();
    await world.clock.advance(SAGA_WATCHDOG_MS + 1);
    await world.clock.run(world.sagas.alarms());
    expect(await world.view()).toMatchObject({
      status: "STUCK",
      reason: expect.stringMatching(/circle/),
    });
  });
});
