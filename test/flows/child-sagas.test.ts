/** A step that is another saga: it is started once, waited for to its end, and undone with its parent. */
import { beforeEach, describe, expect, it } from "vitest";
import type { NodeDoc, StepDoc } from "../../src/core/saga/definition.ts";
import {
  SAGA_CHILD_POLL_MS,
  SAGA_DEPTH_MAX,
  SAGA_INDEX_RETRY_MS,
  SAGA_WATCHDOG_MS,
} from "../../src/core/saga/limits.ts";
import { idle } from "../support/fake-clock.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, type SagaWorld, step } from "./saga-instance.ts";

let world: SagaWorld;
let steps: readonly NodeDoc[] | null;

beforeEach(() => {
  steps = [step("x"), step("y")];
  world = createSagaWorld(
    {},
    {
      saga: async (tenant, name) =>
        tenant === "acme" && name === "child" && steps !== null
          ? { version: 3, createdAtMs: 1, doc: { steps } }
          : null,
    },
  );
});

const child = (more: Partial<StepDoc> = {}): StepDoc => ({
  ...{ name: "c", action: { saga: { name: "child", input: { of: "$.input.n" } } } },
  retry: { delaysSeconds: [10, 10] },
  ...more,
});
const wait = (name: string): StepDoc => ({ name, approve: { timeoutSeconds: 86_400 } });

const children = () =>
  [...world.sagas.journals].flatMap(([id, { start }]) => (start?.parent === undefined ? [] : [id]));
async function only() {
  expect(children()).toHaveLength(1);
  const view = await world.sagas.view(children()[0] ?? "");
  if (view === null) throw new Error("there is no child");
  return view;
}
const approve = async (name: string, approved = true) => {
  const { id } = await only();
  await world.sagas.command(
    id,
    { kind: "signal", reason: "a test", step: name, approved },
    undefined,
  );
  await idle();
};
const down = async (): Promise<never> => {
  throw new Error("down");
};

describe("a child", () => {
  it("runs to its end, and its outputs are the step's", async () => {
    world.transport.answer = ({ url }) => ({
      ...{ kind: "response", status: 200, retryAfterMs: null, body: JSON.stringify(url.slice(-1)) },
    });
    await world.start([step("a"), child(), step("b")]);
    const { id, correlationId, input } = await only();
    expect({ correlationId, input }).toEqual({ correlationId: "c", input: { of: 1 } });
    expect(await world.view()).toMatchObject({
      status: "COMPLETED",
      steps: [
        {},
        { output: { instance: id, steps: { x: { output: "x" }, y: { output: "y" } } } },
        {},
      ],
    });
    expect(world.paths()).toEqual(["a", "x", "y", "b"]);
  });

  it("that takes its time is waited for, and the parent hears of its end at once", async () => {
    steps = [wait("ok")];
    await world.start([child(), step("b")]);
    expect(await world.view()).toMatchObject({ steps: [{ state: "waiting" }, {}], inFlight: 0 });
    await world.pass(600);
    await approve("ok");
    expect((await world.view()).status).toBe("COMPLETED");
    expect(world.paths()).toEqual(["b"]);
  });

  it("that is compensated refuses its step", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/y") ? 422 : 200);
    await world.start([step("a"), child()]);
    expect(world.paths()).toEqual(["a", "x", "y", "un-x", "un-a"]);
    expect(await world.view()).toMatchObject({
      ...{ status: "COMPENSATED", reason: "c: child is compensated: y: status 422" },
    });
  });

  it("that is stuck is waited for, and abandoned refuses its step", async () => {
    steps = [{ name: "ok", approve: { timeoutSeconds: 5, onTimeout: "stuck" } }];
    await world.start([child()]);
    await world.pass(10);
    const { id, status } = await only();
    expect(status).toBe("STUCK");
    expect(await world.view()).toMatchObject({ status: "RUNNING", steps: [{ state: "waiting" }] });
    await world.sagas.command(id, { kind: "abandon", reason: "no way" }, undefined);
    await idle();
    expect((await world.view()).reason).toBe("c: child was abandoned: no way");
  });

  it("is started once, whatever dies and whatever becomes of its definition", async () => {
    steps = [wait("ok")];
    await world.start([child()]);
    steps = [step("other")];
    for (let deaths = 0; deaths < 3; deaths += 1) {
      world.sagas.evict();
      await world.pass(SAGA_CHILD_POLL_MS / 1_000 + SAGA_WATCHDOG_MS / 1_000);
    }
    expect((await only()).steps.map(({ name }) => name)).toEqual(["ok"]);
    await approve("ok");
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("whose parent does not hear of its end tells it again", async () => {
    steps = [wait("ok")];
    await world.start([child()]);
    const { look } = world.sagas;
    Object.assign(world.sagas, { look: down });
    await approve("ok");
    expect(world.log.of("saga-parent-not-told")).toHaveLength(1);
    const { id } = await only();
    const dueAtMs = world.clock.nowMs() + SAGA_INDEX_RETRY_MS;
    expect(world.sagas.summary(id)).toMatchObject({ status: "COMPLETED", dueAtMs });
    Object.assign(world.sagas, { look });
    await world.pass(SAGA_INDEX_RETRY_MS / 1_000 + 1);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(world.sagas.summary(id)?.dueAtMs).toBeNull();
  });

  it("that never tells anything is asked by its parent", async () => {
    steps = [wait("ok")];
    await world.start([child()]);
    Object.assign(world.sagas, { look: async () => true });
    await approve("ok");
    expect((await world.view()).status).toBe("RUNNING");
    await world.pass(SAGA_CHILD_POLL_MS / 1_000 + 1);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("is waited for through more polls than its step has attempts", async () => {
    steps = [wait("ok")];
    await world.start([child({ retry: { delaysSeconds: [] } })]);
    await world.pass((SAGA_CHILD_POLL_MS / 1_000) * 4);
    await approve("ok");
    expect((await world.view()).status).toBe("COMPLETED");
  });
});

describe("a parent that is undone", () => {
  it("has its completed child undone, the last step first", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await world.start([child(), step("b")]);
    expect(world.paths()).toEqual(["x", "y", "b", "un-y", "un-x"]);
    expect((await only()).status).toBe("COMPENSATED");
    expect(await world.view()).toMatchObject({
      status: "COMPENSATED",
      steps: [{ compensation: "done" }, {}],
    });
    expect((await only()).journal.some(({ actor }) => actor.by === "parent")).toBe(true);
  });

  it("has its running child undone, and waits until it is", async () => {
    steps = [step("x"), wait("ok")];
    await world.start([child()], { deadlineSeconds: 30 });
    await world.pass(31);
    expect(world.paths()).toEqual(["x", "un-x"]);
    expect((await only()).status).toBe("COMPENSATED");
    expect((await world.view()).status).toBe("COMPENSATED");
  });

  it("does by its own compensation what it says, and leaves the child", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    const compensate = { http: { url: "https://x.example/by-hand" } };
    await world.start([child({ compensate }), step("b")]);
    expect(world.paths()).toEqual(["x", "y", "b", "by-hand"]);
    expect((await only()).status).toBe("COMPLETED");
  });

  it("waits while its child's undo is stuck, and goes on when a person has mended it", async () => {
    let isBroken = true;
    world.transport.answer = ({ url }) =>
      response(url.endsWith("/b") ? 422 : url.endsWith("un-x") && isBroken ? 503 : 200);
    await world.start([child(), step("b")]);
    await world.pass(60);
    expect((await only()).status).toBe("STUCK");
    expect(await world.view()).toMatchObject({
      status: "COMPENSATING",
      steps: [{ compensation: "waiting" }, {}],
    });
    isBroken = false;
    const { id } = await only();
    await world.sagas.command(id, { kind: "retry-step", reason: "mended", step: "x" }, undefined);
    await idle();
    expect((await world.view()).status).toBe("COMPENSATED");
  });

  it("is stuck where its child's pivot has run", async () => {
    const { compensate: _, ...pivot } = step("x", { pivot: true });
    steps = [pivot];
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await world.start([child(), step("b")]);
    expect(await world.view()).toMatchObject({
      ...{
        status: "STUCK",
        reason: expect.stringMatching(/c is not undone: child: its pivot has run/),
      },
    });
  });
});

describe("no child is started", () => {
  it("of a saga that is not there: the step is tried again", async () => {
    steps = null;
    await world.start([child()]);
    expect((await world.view()).steps[0]?.error).toBe('there is no saga "child"');
    expect(children()).toEqual([]);
    steps = [step("x")];
    await world.pass(15);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("below the deepest that may be: all of them are undone", async () => {
    const again = child({ action: { saga: { name: "child" } } });
    steps = [step("x"), again];
    await world.start([again]);
    await world.pass(1);
    expect(children()).toHaveLength(SAGA_DEPTH_MAX);
    expect(world.paths().filter((path) => path === "un-x")).toHaveLength(SAGA_DEPTH_MAX);
    expect((await world.view()).status).toBe("COMPENSATED");
    const reasons = [...world.sagas.summaries.values()].map(({ reason }) => reason);
    expect(reasons.filter((reason) => /^c: 5 sagas stand above/.test(reason ?? ""))).toHaveLength(
      1,
    );
  });

  it("of a template that names nothing", async () => {
    await world.start([child({ action: { saga: { name: "child", input: "$.input.none" } } })]);
    expect((await world.view()).reason).toBe("c: $.input.none is not there");
    expect(children()).toEqual([]);
  });
});
