/** What a person asks of an instance: once under its id, written down with who and why, and never lost. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEDGER_TIMEOUT_MS, SWEEP_GRACE_MS } from "../../src/core/limits.ts";
import type { NodeDoc, SagaDoc } from "../../src/core/saga/definition.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { MigrationOrder } from "../../src/ports/saga.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, type SagaWorld, step } from "./saga-instance.ts";

const WAIT = { name: "wait", wait: { event: { type: ["paid"] }, timeoutSeconds: 864_000 } };

let world: SagaWorld;

beforeEach(async () => {
  world = createSagaWorld();
  await world.start([WAIT, step("a")], { deadlineSeconds: 864_000 });
});

describe("a command id", () => {
  it("that comes again has no second effect, and answers how the instance is now", async () => {
    const extend = () =>
      world.command("extend-deadline", undefined, { id: "c-1", seconds: 60, actor: "ann" });
    const first = await extend();
    const { deadlineAtMs } = await world.view();
    world.sagas.evict();
    const again = await extend();
    expect(again).toEqual(first);
    expect(await world.view()).toMatchObject({ deadlineAtMs });
    expect((await world.view()).journal.at(-1)?.actor).toMatchObject({
      ...{ by: "operator", name: "ann", command: "extend-deadline", commandId: "c-1" },
    });
  });

  it("counts once although its answer was late and the instance has moved on", async () => {
    const { rev } = await world.view();
    await world.command("pause", rev, { id: "c-1" });
    await world.command("resume");
    expect((await world.command("pause", rev, { id: "c-1" })).kind).toBe("done");
    expect((await world.view()).paused).toBe(false);
    expect((await world.view()).journal.map(({ actor }) => actor.expectedRev)).toContain(rev);
    await world.command("abandon");
    expect((await world.command("pause", rev, { id: "c-1" })).kind).toBe("done");
  });

  it.each([
    ["command", "resume", {}],
    ["step", "pause", { step: "a" }],
    ["output", "pause", { output: 1 }],
    ["reason", "pause", { reason: "another" }],
  ] as const)("of a command is refused for one with another %s", async (_, kind, more) => {
    await world.command("pause", undefined, { id: "c-1" });
    const { rev } = await world.view();
    const other = await world.command(kind, undefined, { id: "c-1", ...more });
    expect(other).toEqual({ kind: "id-taken", rev });
    expect((await world.view()).rev).toBe(rev);
  });

  it("of a command that was refused is free", async () => {
    expect((await world.command("resume", undefined, { id: "c-1" })).kind).toBe("refused");
    await world.command("pause");
    expect((await world.command("resume", undefined, { id: "c-1" })).kind).toBe("done");
  });

  it("sent twice at once has one effect", async () => {
    const both = await Promise.all(
      [1, 2].map(() => world.command("pause", undefined, { id: "c-1" })),
    );
    expect(both.map(({ kind }) => kind)).toEqual(["done", "done"]);
    expect((await world.view()).journal.filter(({ actor }) => actor.command)).toHaveLength(1);
  });
});

describe("two operators at once", () => {
  it("who decide by the same state do not both have their way", async () => {
    const { rev } = await world.view();
    const [first, second] = await Promise.all([
      world.command("pause", rev),
      world.command("compensate", rev),
    ]);
    expect(first.kind).toBe("done");
    expect(second).toEqual({ kind: "rev-differs", rev: rev + 1 });
  });
});

describe("a process that dies right after it has written down", () => {
  /** It rests, and the index has it looked at in days or never; then its storage loses the alarm. */
  async function dying(act: (router: ReturnType<typeof createWorld>) => Promise<unknown>) {
    const router = createWorld();
    await router.sagas.start({
      ...{ id: "sga_1", tenant: "acme", saga: "order", version: 1, key: "k", correlationId: "c" },
      ...{ doc: { steps: [WAIT, step("a")] }, input: null, startedAtMs: router.clock.nowMs() },
    });
    await idle();
    const journal = router.sagas.journals.get("sga_1");
    if (journal === undefined) throw new Error("there is no journal");
    const { setAlarm } = journal;
    journal.setAlarm = () => new Promise(() => {});
    const rows = journal.rows.length;
    void act(router);
    await idle();
    expect(journal.rows.length).toBe(rows + 1);
    router.sagas.evict();
    Object.assign(journal, { setAlarm, alarmAtMs: null });
    await router.clock.advance(SWEEP_GRACE_MS + LEDGER_TIMEOUT_MS);
    expect(await sweep("overdue", createIsolate(router).deliver)).toMatchObject({ sagas: 1 });
    await idle();
    return router.sagas.view("sga_1");
  }

  it("a command is found by the sweeper, and the instance goes on", async () => {
    const skip = { kind: "skip-step", step: "wait", reason: "a test" } as const;
    const view = await dying(({ sagas }) => sagas.command("sga_1", skip, undefined));
    expect(view?.status).toBe("COMPLETED");
  });

  it("an event is found by the sweeper, and ends its wait", async () => {
    const view = await dying(({ sagas }) => sagas.receive("sga_1", "evt_1", { type: "paid" }));
    expect(view?.status).toBe("COMPLETED");
  });
});

describe("an index that does not answer", () => {
  it("holds up no command", async () => {
    world = createSagaWorld({ put: () => new Promise(() => {}) });
    await world.start([WAIT, step("a")]);
    await world.clock.advance(LEDGER_TIMEOUT_MS);
    const paused = world.command("pause");
    await world.clock.advance(LEDGER_TIMEOUT_MS);
    expect((await paused).kind).toBe("done");
  });

  it("is not told of a command that is refused", async () => {
    const before = world.sagas.summary("sga_1");
    await world.command("resume");
    expect(world.sagas.summary("sga_1")).toBe(before);
  });
});

describe("a migration", () => {
  const doc = (...steps: NodeDoc[]) => ({ steps });
  const migrate = (to: SagaDoc, more: Partial<MigrationOrder> = {}, expectedRev?: number) =>
    world.sagas.migrate(
      "sga_1",
      { version: 2, doc: to, dryRun: false, reason: "mended", ...more },
      expectedRev,
    );

  it("has the instance go on by the new definition, also in the next process", async () => {
    const done = await migrate(doc(WAIT, step("b")), { id: "m-1", actor: "ann" });
    expect(done).toMatchObject({ kind: "done", view: { version: 2, steps: [{}, { name: "b" }] } });
    expect((await migrate(doc(WAIT, step("b")), { id: "m-1", actor: "ann" })).kind).toBe("done");
    expect((await migrate(doc(WAIT), { id: "m-1" })).kind).toBe("id-taken");
    world.sagas.evict();
    await world.receive("evt_1", { type: "paid" });
    await idle();
    expect(world.paths()).toEqual(["b"]);
    const { status, version, journal } = await world.view();
    expect({ status, version }).toEqual({ status: "COMPLETED", version: 2 });
    expect(journal.find(({ actor }) => actor.command === "migrate")).toMatchObject({
      actor: { by: "operator", name: "ann", reason: "mended", commandId: "m-1" },
    });
    expect(world.sagas.summary("sga_1")?.version).toBe(2);
  });

  it("only compares when it is a dry run", async () => {
    const { rev } = await world.view();
    const compared = await migrate(doc(step("b")), { dryRun: true });
    expect(compared).toMatchObject({
      ...{
        kind: "compared",
        rev,
        version: 1,
        difference: { added: ["b"], removed: ["wait", "a"] },
      },
      faults: [{ code: "reached-removed" }],
    });
    expect((await world.view()).rev).toBe(rev);
  });

  it("of what has been reached is refused, and every fault is named", async () => {
    const answer = await migrate(doc(step("new"), step("a")));
    expect(answer).toMatchObject({ kind: "refused", isState: true });
    expect(answer).toMatchObject({ faults: [{ code: "reached-removed" }] });
    expect(await migrate(doc(WAIT), {}, 99)).toMatchObject({ kind: "rev-differs" });
    expect(await migrate(doc(WAIT), { version: 1 })).toMatchObject({ kind: "refused" });
  });

  it("waits for the requests that are under way: their answers count for the old steps", async () => {
    let answer = (): void => {};
    world.transport.answer = () =>
      new Promise((resolve) => {
        answer = () => resolve(response(200));
      });
    await world.receive("evt_1", { type: "paid" });
    await idle();
    const to = doc(WAIT, step("a"), step("b"));
    expect(await migrate(to)).toMatchObject({
      ...{ kind: "refused", detail: expect.stringMatching(/under way/) },
    });
    await world.command("pause");
    answer();
    await idle();
    expect((await migrate(to)).kind).toBe("done");
    await world.command("abandon");
    expect((await migrate(to, { version: 3 })).kind).toBe("refused");
  });
});
