/** One command for many instances: each once whatever dies, and who did not take it is told with the reason. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEDGER_TIMEOUT_MS } from "../../src/core/limits.ts";
import {
  SAGA_JOB_PAGE,
  SAGA_JOB_PAGES_MAX,
  SAGA_REFUSALS_MAX,
  SAGA_REFUSED_NAMED_MAX,
} from "../../src/core/saga/limits.ts";
import { beginSagaJob } from "../../src/flows/begin-saga-job.ts";
import { type CommandSagasPorts, commandSagas } from "../../src/flows/command-sagas.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { SagaJob } from "../../src/ports/saga-jobs.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
});

const idOf = (at: number) => `sga_${String(at).padStart(4, "0")}`;

async function start(count: number, tenant = "acme", from = 0) {
  const doc = { steps: [{ name: "big", approve: { timeoutSeconds: 864_000 } }] };
  for (let at = from; at < from + count; at += 1) {
    const id = idOf(at);
    await world.sagas.start({
      ...{ id, tenant, saga: "order", version: 1, key: id, correlationId: null },
      ...{ doc, input: null, startedAtMs: world.clock.nowMs() },
    });
  }
  await idle();
}

const begin = (command: SagaJob["command"] = { kind: "pause", reason: "a test" }) =>
  world.sagaJobs.create({ tenant: "acme", id: "job_1", command, query: { isOpen: true } }, 0, null);

const run = async (broken: Partial<CommandSagasPorts> = {}) =>
  commandSagas(await world.sagaJobs.running(5), { ...createIsolate(world).deliver, ...broken });

const progress = () => world.sagaJobs.jobs.get("job_1")?.progress;

/** How many commands each instance has in its journal. */
const commandsOf = (at: number) =>
  world.sagas.journals.get(idOf(at))?.rows.filter(({ actor }) => actor.by === "operator").length;

describe("a command to many", () => {
  it("reaches each instance of the tenant that has not ended, by the sweeper", async () => {
    await start(3);
    await start(1, "other", 3);
    await world.sagas.command(idOf(1), { kind: "abandon", reason: "before" }, undefined);
    await idle();
    await begin();
    const swept = await sweep("overdue", createIsolate(world).deliver);
    expect(swept).toMatchObject({ commanded: 2, complete: true });
    expect([0, 1, 2, 3].map(commandsOf)).toEqual([1, 1, 1, 0]);
    expect(world.sagaJobs.jobs.get("job_1")).toMatchObject({ isDone: true });
    const { actor } = (await world.sagas.view(idOf(0)))?.journal.at(-1) ?? {};
    expect(actor?.commandId).toBe(`job_1:${idOf(0)}`);
  });

  it("goes on in the next pass where the bound of one pass ended it", async () => {
    const most = SAGA_JOB_PAGE * SAGA_JOB_PAGES_MAX;
    await start(most + 1);
    await begin();
    expect(await run()).toEqual({ commanded: most, complete: false });
    expect(await run()).toEqual({ commanded: 1, complete: true });
    expect(await run()).toEqual({ commanded: 0, complete: true });
    expect(progress()?.refusals).toEqual([]);
  });

  it("that is long holds up no other: they share a pass", async () => {
    await start(SAGA_JOB_PAGE * SAGA_JOB_PAGES_MAX);
    await start(1, "other", 9_000);
    await begin();
    const command = { kind: "pause", reason: "a test" } as const;
    const other = { tenant: "other", id: "job_2", command, query: { isOpen: true } };
    await world.sagaJobs.create(other, 1, null);
    expect(await run()).toMatchObject({ complete: false });
    expect(commandsOf(9_000)).toBe(1);
    while (!(await run()).complete);
    expect(progress()?.finished).toBe(SAGA_JOB_PAGE * SAGA_JOB_PAGES_MAX);
  });

  it("that is cancelled reaches nothing more, and tells what it has reached", async () => {
    await start(SAGA_JOB_PAGE + 1);
    await begin();
    const cancelled = { reason: "enough" };
    const advance: CommandSagasPorts["sagaJobs"]["advance"] = async (...page) => {
      await world.sagaJobs.cancel({ tenant: "acme", id: "job_1" }, cancelled);
      return world.sagaJobs.advance(...page);
    };
    expect(await run({ sagaJobs: { advance } })).toEqual({
      ...{ commanded: SAGA_JOB_PAGE, complete: true },
    });
    expect(await run()).toEqual({ commanded: 0, complete: true });
    expect(progress()).toMatchObject({ finished: SAGA_JOB_PAGE, cancelled });
    // The newest first: the oldest is the one that was left.
    expect([0, 1].map(commandsOf)).toEqual([0, 1]);
  });

  it("is one job under its command id, whatever has ended since", async () => {
    await start(2);
    const ports = createIsolate(world).deliver;
    const order = (expectedCount: number, reason = "a test") => ({
      ...{ tenant: "acme", query: { isOpen: true }, expectedCount },
      command: { kind: "abandon", reason } as const,
      as: { commandId: "c-1", asked: { reason } },
    });
    const both = await Promise.all([beginSagaJob(order(2), ports), beginSagaJob(order(2), ports)]);
    expect(both.map(({ kind }) => kind).toSorted()).toEqual(["begun", "known"]);
    await run();
    expect([0, 1].map(commandsOf)).toEqual([1, 1]);
    const job = [...world.sagaJobs.jobs.keys()][0];
    expect(await beginSagaJob(order(2), ports)).toEqual({ kind: "known", job });
    expect(await beginSagaJob(order(2, "other"), ports)).toEqual({ kind: "id-taken", job });
    expect(await beginSagaJob({ ...order(2), as: null }, ports)).toEqual({
      ...{ kind: "differs", count: 0 },
    });
    expect(world.sagaJobs.jobs.size).toBe(1);
  });

  it("whose process dies before a page is written down has no effect twice", async () => {
    await start(3);
    await begin({ kind: "extend-deadline", reason: "a test", seconds: 1 });
    await begin({ kind: "pause", reason: "a test" });
    const advance = async (): Promise<never> => {
      throw new Error("the process died");
    };
    await expect(run({ sagaJobs: { advance } })).rejects.toThrow("died");
    expect(progress()?.finished).toBe(0);
    expect(await run()).toEqual({ commanded: 3, complete: true });
    expect([0, 1, 2].map(commandsOf)).toEqual([1, 1, 1]);
    expect(progress()).toMatchObject({ finished: 3, refusals: [] });
  });

  it("that two processes work on at once counts each instance once", async () => {
    await start(3);
    await begin();
    await Promise.all([run(), run()]);
    expect([0, 1, 2].map(commandsOf)).toEqual([1, 1, 1]);
    expect(progress()?.finished).toBe(3);
  });
});

describe("an instance that does not take the command", () => {
  it("is counted under its reason, and the first ones are named", async () => {
    await start(SAGA_REFUSED_NAMED_MAX + 2);
    await world.sagas.command(idOf(0), { kind: "pause", reason: "before" }, undefined);
    await begin({ kind: "resume", reason: "a test" });
    await run();
    const [refusal, ...others] = progress()?.refusals ?? [];
    expect(others).toEqual([]);
    expect(refusal).toMatchObject({
      ...{ detail: "It is not paused.", count: SAGA_REFUSED_NAMED_MAX + 1 },
    });
    expect(refusal?.instances).toHaveLength(SAGA_REFUSED_NAMED_MAX);
    expect(refusal?.instances).not.toContain(idOf(0));
  });

  it("because it fails or hangs holds up no other, and is told apart", async () => {
    await start(3);
    await begin();
    const sagas: CommandSagasPorts["sagas"] = {
      command: (id, command, rev) =>
        id === idOf(0)
          ? Promise.reject(new Error("down"))
          : id === idOf(1)
            ? new Promise(() => {})
            : world.sagas.command(id, command, rev),
    };
    const ran = run({ sagas });
    await world.clock.advance(LEDGER_TIMEOUT_MS);
    expect(await ran).toEqual({ commanded: 3, complete: true });
    expect(progress()?.refusals).toMatchObject([
      { detail: "It did not answer, and may have heard.", count: 2 },
    ]);
    expect(world.log.of("saga-silent")).toMatchObject([{ error: "Error: down" }, { id: idOf(1) }]);
    expect(commandsOf(2)).toBe(1);
  });

  it("for ever other reasons does not fill the job's row", async () => {
    await start(SAGA_REFUSALS_MAX + 5);
    await begin();
    const command: CommandSagasPorts["sagas"]["command"] = async (id) => ({
      ...{ kind: "refused", isState: true, detail: `${id} says no` },
    });
    await run({ sagas: { command } });
    const refusals = progress()?.refusals ?? [];
    expect(refusals).toHaveLength(SAGA_REFUSALS_MAX + 1);
    expect(refusals.at(-1)).toMatchObject({ detail: "Other reasons.", count: 5 });
  });
});
