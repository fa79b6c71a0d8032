/** An instance and its driver: what is written before and after each request, and what a death leaves. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  SAGA_INDEX_RETRY_MS,
  SAGA_JOURNAL_ROWS_MAX,
  SAGA_OUTPUT_BYTES_MAX,
  SAGA_WATCHDOG_MS,
} from "../../src/core/limits.ts";
import type { SagaDoc, StepDoc } from "../../src/core/saga/definition.ts";
import { compileSaga } from "../../src/core/saga/definition.ts";
import { fold, startInstance } from "../../src/core/saga/instance.ts";
import { createFakeClock, type FakeClock, idle } from "../support/fake-clock.ts";
import { createMemorySagas, type MemorySagas } from "../support/memory-sagas.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";
import {
  createMemoryTransport,
  type MemoryTransport,
  response,
} from "../support/memory-transport.ts";

let clock: FakeClock;
let log: MemoryLog;
let transport: MemoryTransport;
let sagas: MemorySagas;

beforeEach(() => {
  clock = createFakeClock();
  log = createMemoryLog();
  transport = createMemoryTransport(clock.nowMs);
  sagas = createMemorySagas({ clock, log, transport });
});

const RETRY = { maxAttempts: 3, initialSeconds: 10, factor: 1, maxSeconds: 10 };

const step = (name: string, more: Partial<StepDoc> = {}): StepDoc => ({
  ...{ name, action: { http: { url: `https://x.example/${name}` } }, retry: RETRY },
  compensate: { http: { url: `https://x.example/un-${name}` }, retry: RETRY },
  ...more,
});

async function start(...steps: StepDoc[]) {
  await sagas.start({
    ...{ id: "sga_1", tenant: "acme", saga: "order", version: 1, key: "k", correlationId: "c" },
    ...{ doc: { steps } satisfies SagaDoc, input: { n: 1 }, startedAtMs: clock.nowMs() },
  });
  await idle();
}

/** Hours pass; every alarm goes off at its time. */
async function pass(seconds: number) {
  for (const end = clock.nowMs() + seconds * 1_000; clock.nowMs() < end; ) {
    await clock.advance(1_000);
    await clock.run(sagas.alarms());
  }
}

const view = async () => {
  const found = await sagas.view("sga_1");
  if (found === null) throw new Error("there is no instance");
  return found;
};
const paths = () => transport.sent.map(({ url }) => new URL(url).pathname.slice(1));
const journal = () => {
  const found = sagas.journals.get("sga_1");
  if (found === undefined) throw new Error("there is no journal");
  return found;
};
const command = (kind: "pause" | "resume" | "abandon" | "compensate", expectedRev?: number) =>
  sagas.command("sga_1", { kind, reason: "a test" }, expectedRev);

describe("an instance", () => {
  it("writes each intent before its request, and each answer with the next intent", async () => {
    await start(step("a"), step("b"), step("c"), step("d"));
    expect(await view()).toMatchObject({ status: "COMPLETED", rev: 5 });
    expect(journal().rows.map(({ entries }) => entries.map(({ kind }) => kind).join("+"))).toEqual([
      ...["request", "answer+request", "answer+request", "answer+request", "answer+status"],
    ]);
  });

  it("is what the fold of its journal is, and an eviction changes nothing", async () => {
    transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await start(step("a"), step("b"));
    const before = await view();
    sagas.evict();
    expect(await view()).toEqual(before);
    const { start: begun, rows } = journal();
    if (begun === null) throw new Error("it was not started");
    const folded = rows.reduce(
      (instance, { entries, atMs }) => fold(instance, entries, atMs),
      startInstance(compileSaga(begun.doc), begun.input, begun.startedAtMs),
    );
    expect(folded).toMatchObject({ status: "COMPENSATED" });
  });

  it("started again is the one that there is", async () => {
    await start(step("a"));
    await start(step("b"));
    expect(paths()).toEqual(["a"]);
  });

  it("sends the same bytes under the same key at every attempt", async () => {
    transport.answer = () => response(transport.sent.length < 3 ? 503 : 200);
    await start(step("a", { action: { http: { url: "https://x.example/a", body: "$.input" } } }));
    await pass(60);
    expect((await view()).status).toBe("COMPLETED");
    expect(new Set(transport.sent.map(({ headers }) => headers.get("idempotency-key")))).toEqual(
      new Set(["sbx_sga_1_a_a_0"]),
    );
    expect(new Set(transport.sent.map(({ body }) => `${body}`)).size).toBe(1);
  });

  it("honours Retry-After, and gives up when its attempts are spent", async () => {
    transport.answer = () => response(503, 20_000);
    await start(step("a"));
    await pass(15);
    expect(transport.sent).toHaveLength(1);
    await pass(600);
    // What is in doubt is settled once more before the saga is given up for compensated.
    expect(await view()).toMatchObject({
      status: "STUCK",
      reason: expect.stringMatching(/in doubt/),
    });
  });

  it("whose template names nothing sends nothing, and undoes what it did", async () => {
    const http = { url: "https://x.example/b", body: "$.steps.a.output.none" };
    await start(step("a"), step("b", { action: { http } }));
    expect(paths()).toEqual(["a", "un-a"]);
    expect((await view()).reason).toBe("b: $.steps.a.output.none is not there");
  });

  it("keeps no output that is too long", async () => {
    const body = `"${"x".repeat(SAGA_OUTPUT_BYTES_MAX)}"`;
    transport.answer = () => ({ kind: "response", status: 200, retryAfterMs: null, body });
    await start(step("a"));
    expect(await view()).toMatchObject({ status: "COMPLETED", steps: [{ output: null }] });
  });

  it("keeps early and repeated events for the step that waits for them", async () => {
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 3_600 };
    await start({ name: "pause", delay: { seconds: 60 } }, { name: "paid", wait }, step("b"));
    const paid = { type: "paid", data: { n: 1 } };
    for (const id of ["evt_1", "evt_1", "evt_2"]) await sagas.receive("sga_1", id, paid);
    await pass(61);
    expect(await view()).toMatchObject({
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
    await start(step("a"), { name: "paid", wait });
    await pass(31);
    expect((await view()).status).toBe(status);
  });

  it("past its deadline is compensated", async () => {
    await sagas.start({
      ...{ id: "sga_1", tenant: "acme", saga: "order", version: 1, key: "k", correlationId: null },
      doc: { deadlineSeconds: 30, steps: [step("a"), { name: "b", delay: { seconds: 3_600 } }] },
      ...{ input: null, startedAtMs: clock.nowMs() },
    });
    await pass(31);
    expect(await view()).toMatchObject({
      ...{ status: "COMPENSATED", reason: "the deadline has passed" },
    });
    expect(paths()).toEqual(["a", "un-a"]);
  });

  it("runs branches side by side, and waits for what is under way before it undoes", async () => {
    const answers: ((status: number) => void)[] = [];
    transport.answer = ({ url }) =>
      /\/[bc]$/.test(url)
        ? new Promise((resolve) => answers.push((status) => resolve(response(status))))
        : response(200);
    await sagas.start({
      ...{ id: "sga_1", tenant: "acme", saga: "order", version: 1, key: "k", correlationId: null },
      doc: { steps: [step("a"), { parallel: [[step("b")], [step("c")]] }] },
      ...{ input: null, startedAtMs: clock.nowMs() },
    });
    await idle();
    expect(await view()).toMatchObject({ inFlight: 2 });
    answers[0]?.(422);
    await idle();
    expect(paths()).toEqual(["a", "b", "c"]);
    answers[1]?.(200);
    await idle();
    expect(paths()).toEqual(["a", "b", "c", "un-c", "un-a"]);
    expect((await view()).status).toBe("COMPENSATED");
  });
});

describe("an instance whose process dies", () => {
  it("in a request makes it once more, under the same key", async () => {
    transport.answer = () => new Promise(() => {});
    await start(step("a"), step("b"));
    sagas.evict();
    transport.answer = () => response(200);
    await pass(SAGA_WATCHDOG_MS / 1_000 + 1);
    expect(paths()).toEqual(["a", "a", "b"]);
    expect((await view()).status).toBe("COMPLETED");
  });

  it("in every attempt is not tried for ever", async () => {
    transport.answer = () => new Promise(() => {});
    await start(step("a", { settle: "hold" }));
    for (let deaths = 0; deaths < 5; deaths += 1) {
      sagas.evict();
      await clock.advance(SAGA_WATCHDOG_MS + 1);
      void sagas.alarms();
      await idle();
    }
    expect(transport.sent).toHaveLength(RETRY.maxAttempts);
    expect((await view()).status).toBe("STUCK");
  });
});

describe("an operator", () => {
  it("who paused sees what is under way, and nothing new begins", async () => {
    let answer = (_: number): void => {};
    transport.answer = () =>
      new Promise((resolve) => {
        answer = (status) => resolve(response(status));
      });
    await start(step("a"), step("b"));
    await command("pause");
    expect(await view()).toMatchObject({ paused: true, inFlight: 1 });
    answer(200);
    await idle();
    expect(await view()).toMatchObject({ paused: true, inFlight: 0, status: "RUNNING" });
    expect(paths()).toEqual(["a"]);
    await command("resume");
    await idle();
    expect(paths()).toEqual(["a", "b"]);
  });

  it("who decides by an old state is told the new one", async () => {
    transport.answer = () => response(503);
    await start(step("a"));
    const { rev } = await view();
    expect((await command("pause", rev)).kind).toBe("done");
    expect(await command("resume", rev)).toEqual({ kind: "rev-differs", rev: rev + 1 });
  });

  it("stands in the journal with the reason", async () => {
    transport.answer = () => response(503);
    await start(step("a"));
    await command("abandon");
    const { journal: rows, status } = await view();
    expect(status).toBe("FAILED");
    expect(rows.at(-1)?.actor).toEqual({ by: "operator", command: "abandon", reason: "a test" });
    await pass(600);
    expect(transport.sent).toHaveLength(1);
  });
});

describe("the index", () => {
  it("that fails is told again, and holds up no step", async () => {
    let isDown = true;
    sagas = createMemorySagas({
      ...{ clock, log, transport },
      index: {
        put: async () => {
          if (isDown) throw new Error("down");
        },
      },
    });
    await start(step("a"));
    expect((await view()).status).toBe("COMPLETED");
    expect(log.of("saga-not-indexed")).toHaveLength(1);
    isDown = false;
    await pass(SAGA_INDEX_RETRY_MS / 1_000 + 1);
    expect(journal().alarmAtMs).toBeNull();
  });

  it("says when an instance goes on by itself, and that one has ended", async () => {
    await start(step("a"), { name: "b", delay: { seconds: 60 } });
    const waiting = sagas.summaries.get("sga_1");
    expect(waiting).toMatchObject({ status: "RUNNING", step: "b", correlationId: "c" });
    expect(waiting?.dueAtMs).toBe(clock.nowMs() + 60_000);
    await pass(61);
    expect(sagas.summaries.get("sga_1")).toMatchObject({ status: "COMPLETED", dueAtMs: null });
  });
});

describe("the costs", () => {
  it("of four steps are nine rows at most, alarms included", async () => {
    await start(step("a"), step("b"), step("c"), step("d"));
    expect(journal().written).toBeLessThanOrEqual(9);
  });

  it("of an instance that goes round in a circle end", async () => {
    expect(SAGA_JOURNAL_ROWS_MAX).toBe(10_000);
    transport.answer = () => response(503);
    const retry = { delaysSeconds: Array<number>(50).fill(0.001) };
    await start(step("a", { retry }));
    const rows = journal().rows as unknown[];
    while (rows.length < SAGA_JOURNAL_ROWS_MAX) rows.push({ ...journal().rows[0], entries: [] });
    sagas.evict();
    await clock.advance(SAGA_WATCHDOG_MS + 1);
    await clock.run(sagas.alarms());
    expect(await view()).toMatchObject({
      status: "STUCK",
      reason: expect.stringMatching(/circle/),
    });
  });
});
