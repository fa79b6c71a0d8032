/** What stands behind an instance's drive: its alarm, the index it is found in, and the sweeper. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEDGER_TIMEOUT_MS, SWEEP_GRACE_MS } from "../../src/core/limits.ts";
import {
  SAGA_INDEX_RETRY_MS,
  SAGA_STARTING_MS,
  SAGA_WATCHDOG_MS,
} from "../../src/core/saga/limits.ts";
import { startSaga } from "../../src/flows/start-saga.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, LIVES, life, liveSo, type SagaWorld, step } from "./saga-instance.ts";

let world: SagaWorld;

beforeEach(() => {
  world = createSagaWorld();
});

const down = async (): Promise<never> => {
  throw new Error("down");
};

describe.each(LIVES)("the index$life", ({ dies }) => {
  liveSo(dies);

  it("that fails is told again, and holds up no step", async () => {
    let isDown = true;
    world = createSagaWorld({ put: async () => (isDown ? down() : undefined) });
    await world.start([step("a")]);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(world.log.of("saga-not-indexed")).toHaveLength(1);
    isDown = false;
    await world.pass(SAGA_INDEX_RETRY_MS / 1_000 + 1);
    expect(world.journal().alarmAtMs).toBeNull();
  });

  it("that fails delays no attempt that is due before", async () => {
    world = createSagaWorld({ put: down });
    world.transport.answer = () => response(world.transport.sent.length === 1 ? 503 : 200);
    await world.start([step("a")]);
    await world.pass(15);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("that hangs holds up neither an alarm nor an attempt", async () => {
    world = createSagaWorld({ put: () => new Promise(() => {}) });
    await world.start([step("a"), { name: "b", delay: { seconds: 60 } }, step("c")]);
    await world.clock.advance(LEDGER_TIMEOUT_MS);
    expect(world.log.of("saga-not-indexed")).toHaveLength(1);
    expect(world.journal().alarmAtMs).toBe(world.clock.nowMs() + SAGA_INDEX_RETRY_MS);
    await world.pass(90);
    expect(world.paths()).toEqual(["a", "c"]);
  });

  it("says when an instance goes on by itself, and that one has ended", async () => {
    await world.start([step("a"), { name: "b", delay: { seconds: 60 } }]);
    const waiting = world.sagas.summary("sga_1");
    expect(waiting).toMatchObject({ status: "RUNNING", step: "b", correlationId: "c" });
    expect(waiting?.dueAtMs).toBe(world.clock.nowMs() + 60_000);
    await world.pass(61);
    expect(world.sagas.summary("sga_1")).toMatchObject({
      status: "COMPLETED",
      dueAtMs: null,
    });
  });
});

describe.each(LIVES)("the alarm$life", ({ dies }) => {
  liveSo(dies);

  it("that cannot be set is set by the next drive, and no request is made before", async () => {
    await world.start([{ name: "wait", delay: { seconds: 60 } }, step("a")]);
    const journal = world.journal();
    const { setAlarm } = journal;
    journal.setAlarm = down;
    await world.clock.advance(61_000);
    await world.sagas.alarms();
    expect(world.log.of("saga-not-driven")).toHaveLength(1);
    expect(world.paths()).toEqual([]);
    journal.setAlarm = setAlarm;
    await world.sagas.wake("sga_1");
    await idle();
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("behind a request is near, although the instance was to wake in days", async () => {
    world.transport.answer = () => new Promise(() => {});
    const wait = { event: { type: ["paid"] }, timeoutSeconds: 864_000 };
    await world.start([{ name: "paid", wait }, step("a")]);
    await world.receive("evt_1", { type: "paid" });
    await idle();
    expect(world.paths()).toEqual(["a"]);
    expect(world.journal().alarmAtMs).toBe(world.clock.nowMs() + SAGA_WATCHDOG_MS);
  });

  it("is set before a request that a pause meanwhile holds back", async () => {
    await world.start([{ name: "wait", delay: { seconds: 60 } }, step("a")]);
    const journal = world.journal();
    const { setAlarm } = journal;
    const { promise, resolve } = Promise.withResolvers<void>();
    journal.setAlarm = (atMs) => promise.then(() => setAlarm(atMs));
    await world.clock.advance(60_000);
    const driven = world.sagas.alarms();
    await idle();
    const paused = world.command("pause");
    resolve();
    await Promise.all([driven, paused]);
    expect(await world.view()).toMatchObject({ paused: true, inFlight: 0 });
    expect(world.paths()).toEqual([]);
  });
});

describe.each(LIVES)("an instance that is erased$life", ({ dies }) => {
  liveSo(dies);

  it("can be started anew by the same object, and hears no answer of its former life", async () => {
    const answers: (() => void)[] = [];
    world.transport.answer = () =>
      new Promise((resolve) => answers.push(() => resolve(response(200))));
    await world.start([step("a")]);
    await world.sagas.erase("sga_1");
    expect(await world.sagas.view("sga_1")).toBeNull();
    expect((await world.start([step("b")])).created).toBe(true);
    answers[0]?.();
    await idle();
    expect(await world.view()).toMatchObject({
      ...{ rev: life.dies ? 2 : 1, steps: [{ name: "b", state: "started" }] },
    });
  });
});

describe.each(LIVES)("the sweeper$life", ({ dies }) => {
  liveSo(dies);

  it("sets overdue instances off and waits for none of their requests", async () => {
    const router = createWorld();
    router.transport.answer = () => new Promise(() => {});
    const start = (id: string) =>
      router.sagas.start({
        ...{ id, tenant: "acme", saga: "order", version: 1, key: id, correlationId: null },
        doc: { steps: [{ name: "wait", delay: { seconds: 1 } }, step("a")] },
        ...{ input: null, startedAtMs: router.clock.nowMs() },
      });
    for (const id of ["sga_1", "sga_2"]) await start(id);
    await idle();
    for (const journal of router.sagas.journals.values()) journal.alarmAtMs = null; // lost
    await router.clock.advance(SWEEP_GRACE_MS + 2_000);
    expect(await sweep("overdue", createIsolate(router).deliver)).toMatchObject({ sagas: 2 });
    await idle();
    expect(router.transport.sent).toHaveLength(2);
    const alarms = [...router.sagas.journals.values()].map(({ alarmAtMs }) => alarmAtMs);
    expect(alarms).toEqual([1, 1].map(() => router.clock.nowMs() + SAGA_WATCHDOG_MS));
  });

  it("forgets the entry of a start that came twice, where its starter died", async () => {
    const router = createWorld();
    router.transport.answer = () => new Promise(() => {});
    const { deliver } = createIsolate(router);
    const definition = { version: 1, createdAtMs: 1, doc: { steps: [step("a")] } };
    const start = (forget = deliver.sagaIndex.forget) =>
      startSaga(
        {
          ...{ tenant: "acme", saga: "order", definition, key: "k" },
          ...{ correlationId: null, input: null },
        },
        { ...deliver, sagaIndex: { ...deliver.sagaIndex, forget } },
      );
    const { view } = await start();
    await router.clock.advance(1);
    expect(await start()).toMatchObject({ created: false, view: { id: view.id } });
    expect(router.sagas.summaries.size).toBe(1);
    await router.clock.advance(1);
    expect(await start(down)).toMatchObject({ created: false });
    expect(router.sagas.summaries.size).toBe(2);
    await router.clock.advance(SAGA_STARTING_MS + SWEEP_GRACE_MS + 1);
    await sweep("overdue", deliver);
    const only = [{ startedAtMs: view.startedAtMs }];
    expect([...router.sagas.summaries.values()]).toMatchObject(only);
    // After a restart it is not waited for: whoever was about to forget it is gone.
    await start(down);
    expect(router.sagas.summaries.size).toBe(2);
    await sweep("all-due", deliver);
    expect([...router.sagas.summaries.values()]).toMatchObject(only);
  });

  it("sets the others off when one does not answer", async () => {
    const router = createWorld();
    const { deliver } = createIsolate(router);
    const nowMs = router.clock.nowMs();
    for (const id of ["sga_1", "sga_2"]) {
      await router.sagas.index.begin({
        ...{ id, tenant: "acme", saga: "order", version: 1, key: id, correlationId: null },
        ...{ status: "STARTING", paused: false, step: null, reason: null, rev: 0 },
        ...{ startedAtMs: nowMs, updatedAtMs: nowMs, dueAtMs: nowMs + SAGA_STARTING_MS },
      });
    }
    await router.clock.advance(SAGA_STARTING_MS + SWEEP_GRACE_MS + 1);
    const sagas = {
      ...router.sagas,
      wake: async (id: string) => (id === "sga_1" ? down() : nowMs),
    };
    const swept = await sweep("overdue", { ...deliver, sagas });
    expect(swept).toMatchObject({ sagas: 1, complete: false });
    expect(router.log.of("sweep-failed")).toMatchObject([{ part: "sagas" }]);
  });
});
