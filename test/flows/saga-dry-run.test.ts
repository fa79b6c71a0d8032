/** A dry run does what a real instance does, within its bounds, and sends nothing. */
import { describe, expect, it } from "vitest";
import type { NodeDoc } from "../../src/core/saga/definition.ts";
import { dryRun, type Mock, type Script } from "../../src/core/saga/dry-run.ts";
import {
  SAGA_BODY_BYTES_MAX,
  SAGA_TEST_CHARACTERS_MAX,
  SAGA_TEST_TURNS_MAX,
} from "../../src/core/saga/limits.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, step } from "./saga-instance.ts";

const answered = (status: number): Mock => ({
  answer: { kind: "response", status, retryAfterMs: null, body: "" },
  output: null,
});
const TIMEOUT: Mock = { answer: { kind: "timeout" }, output: null };

type Answers = Readonly<Record<string, readonly Mock[]>>;

const run = (steps: readonly NodeDoc[], mocks: Answers = {}, more: Partial<Script> = {}) =>
  dryRun({
    ...{ doc: { steps }, input: { n: 1 }, startAtMs: 0, events: [], commands: [] },
    mocks: { action: new Map(Object.entries(mocks)), undo: new Map() },
    ...more,
  });
const pathsOf = ({ requests }: ReturnType<typeof run>) =>
  requests.map((each) => ("url" in each ? new URL(each.url).pathname.slice(1) : each.step));
const secondsOf = ({ requests }: ReturnType<typeof run>) =>
  requests.map(({ atMs }) => atMs / 1_000);

const DELAY = { name: "wait", delay: { seconds: 60 } };
const PAID = { name: "paid", wait: { event: { type: ["paid"] }, timeoutSeconds: 3_600 } };

describe("a dry run", () => {
  it.each([
    ["whole", [step("a"), step("b")], {}],
    ["refused", [step("a"), step("b"), step("c")], { c: [422] }],
    ["in doubt", [step("a"), step("b")], { b: [503, 503, 503, 200] }],
    ["stuck", [step("a"), step("b", { settle: "hold" })], { b: [503] }],
    ["optional", [step("a"), step("b", { optional: true }), DELAY, step("c")], { b: [400] }],
    ["branched", [{ parallel: [[step("a"), step("b")], [step("c")]] }, step("d")], { d: [409] }],
    [
      "past its pivot",
      [step("a"), step("b", { pivot: true, compensate: undefined }), step("c")],
      {},
    ],
  ] as [string, NodeDoc[], Record<string, number[]>][])(
    "of a saga that is %s ends like the real one, with the same requests",
    async (_, steps, statuses) => {
      const world = createSagaWorld();
      const seen = new Map<string, number>();
      world.transport.answer = ({ url }) => {
        const name = new URL(url).pathname.slice(1);
        const made = seen.get(name) ?? 0;
        seen.set(name, made + 1);
        const all = statuses[name] ?? [200];
        return response(all[made] ?? all.at(-1) ?? 200);
      };
      await world.start(steps);
      await world.pass(900);
      const mocks = Object.entries(statuses).map(([name, all]) => [name, all.map(answered)]);
      const dry = run(steps, Object.fromEntries(mocks));
      const real = await world.view();
      expect(dry.instance.status).toBe(real.status);
      expect(pathsOf(dry)).toEqual(world.paths());
      const states = dry.instance.steps.map(({ forward, undo }) => `${forward} ${undo}`);
      const shown = real.steps.map(({ state, compensation }) => `${state} ${compensation}`);
      expect(states).toEqual(shown);
    },
  );

  it("jumps to what is due: pauses, timeouts and Retry-After pass at once", () => {
    const later: Mock = {
      answer: { kind: "response", status: 503, retryAfterMs: 90_000, body: "" },
      output: null,
    };
    const dry = run([step("a", { timeoutSeconds: 7 }), DELAY, step("b")], {
      a: [TIMEOUT, later, answered(200)],
    });
    expect(secondsOf(dry)).toEqual([0, 17, 107, 167]);
    expect(dry).toMatchObject({ endedAtMs: 167_000, stoppedBy: null });
  });

  it("gives later steps what earlier ones answered", () => {
    const http = { url: "https://x.example/b", body: { id: "$.steps.a.output.id" } };
    const mock: Mock = { ...answered(200), output: { id: 7 } };
    const dry = run([step("a"), step("b", { action: { http } })], { a: [mock] });
    expect(dry.requests[1]).toMatchObject({ step: "b", attempt: 1, body: '{"id":7}' });
  });

  it("shows a reference that renders to nothing at its step, and sends nothing there", () => {
    const http = { url: "https://x.example/b", body: "$.steps.a.output.id" };
    const dry = run([step("a"), step("b", { action: { http } })]);
    expect(pathsOf(dry)).toEqual(["a", "un-a"]);
    expect(dry.instance.steps[1]?.error).toBe("$.steps.a.output.id is not there");
  });

  it("takes events and a person's commands at their time, and says which had no effect", () => {
    const doc = { steps: [PAID, step("a")], correlation: "$.order" };
    const paid = (order: string) => ({ type: "paid", data: {}, order });
    const signal = { kind: "signal", reason: "no", step: "paid" } as const;
    const dry = run(
      [],
      {},
      {
        ...{ doc, input: { order: "o-1" } },
        events: [
          { atMs: 1_000, id: "evt_1", event: paid("o-2") },
          { atMs: 2_000, id: "evt_2", event: { type: "other" } },
          { atMs: 5_000, id: "evt_3", event: paid("o-1") },
          { atMs: 9_000, id: "evt_4", event: paid("o-1") },
        ],
        commands: [
          { atMs: 3_000, command: { kind: "pause", reason: "a look" } },
          { atMs: 4_000, command: { ...signal, step: "a" } },
          { atMs: 6_000, command: { kind: "resume", reason: "seen" } },
        ],
      },
    );
    expect(secondsOf(dry)).toEqual([6]);
    expect(dry.instance.status).toBe("COMPLETED");
    expect(dry.endedAtMs).toBe(6_000);
    expect(dry.ignored).toEqual([
      { pointer: "/events/0", detail: "It belongs to o-2; the instance belongs to o-1." },
      { pointer: "/events/1", detail: "No step waits for such an event." },
      { pointer: "/signals/1", detail: '"a" waits for no signal.' },
      { pointer: "/events/3", detail: "The saga is COMPLETED by then." },
    ]);
  });
});

describe("the bounds of a dry run", () => {
  it("end one that asks for ever", () => {
    const retry = { maxAttempts: 100_000, initialSeconds: 1, factor: 1, maxSeconds: 1 };
    const dry = run([step("a", { retry })], { a: [answered(503)] });
    expect(dry.stoppedBy).toBe("turns");
    expect(dry.requests.length).toBeLessThanOrEqual(SAGA_TEST_TURNS_MAX);
  });

  it("end one whose requests grow beyond what can be answered", () => {
    const body = "x".repeat(SAGA_BODY_BYTES_MAX - 2);
    const http = { url: "https://x.example/", body };
    const dry = run(Array.from({ length: 200 }, (_, at) => step(`s${at}`, { action: { http } })));
    expect(dry.stoppedBy).toBe("characters");
    const characters = dry.requests.reduce((sum, request) => sum + (request.body?.length ?? 0), 0);
    expect(characters).toBeLessThan(SAGA_TEST_CHARACTERS_MAX);
  });

  it("let the largest saga with its retries through", () => {
    const steps = Array.from({ length: 200 }, (_, at) => step(`s${at}`));
    const dry = run(steps, { s199: [answered(422)] });
    expect(dry).toMatchObject({ stoppedBy: null, instance: { status: "COMPENSATED" } });
    expect(dry.requests).toHaveLength(200 + 199);
  });
});
