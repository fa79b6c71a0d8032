/** Another definition for an instance that runs: what is different, what stands against it, and what it keeps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compileSaga,
  type NodeDoc,
  type SagaDoc,
  type StepDoc,
} from "../../../src/core/saga/definition.ts";
import { fold } from "../../../src/core/saga/fold.ts";
import { type Entry, type Instance, startInstance } from "../../../src/core/saga/instance.ts";
import { migration } from "../../../src/core/saga/migrate.ts";
import { plan } from "../../../src/core/saga/plan.ts";

const NONE: ReadonlySet<number> = new Set();
const step = (name: string, more: Partial<StepDoc> = {}): StepDoc => ({
  ...{ name, action: { http: { url: `https://x.example/${name}` } } },
  compensate: { http: { url: `https://x.example/un-${name}` } },
  ...more,
});
const sagaOf = (...steps: NodeDoc[]): SagaDoc => ({ steps });

/** Runs as long as `more` says, every request answered with success. */
function run(from: Instance, more: (instance: Instance) => boolean): [Instance, Call[]] {
  const calls: Call[] = [];
  let instance = from;
  for (let turns = 0; turns < 1_000 && more(instance); turns += 1) {
    const next = plan(instance, 0, NONE);
    if (next.kind === "sleep") break;
    if (next.kind === "decide") instance = fold(instance, next.entries, 0);
    else {
      const call = next.calls[0];
      if (call === undefined) break;
      calls.push({ name: instance.saga.steps[call.step]?.name ?? "", direction: call.direction });
      instance = fold(instance, [{ kind: "request", ...call }], 0);
      const token = instance.steps[call.step]?.token ?? 0;
      const outcome = { kind: "succeeded", output: call.step } as const;
      instance = fold(instance, [{ kind: "answer", ...call, token, outcome, retryAtMs: null }], 0);
    }
  }
  return [instance, calls];
}
type Call = { readonly name: string; readonly direction: string };

const doneOf = ({ steps }: Instance) => steps.filter(({ forward }) => forward === "succeeded");
/** After `done` of its steps have succeeded, or all. */
const reached = (doc: SagaDoc, done: number): Instance =>
  run(startInstance(compileSaga(doc), null, 0), (now) => {
    return doneOf(now).length < Math.min(done, now.steps.length);
  })[0];

const migrated = (instance: Instance, from: SagaDoc, to: SagaDoc): Instance => {
  const was = from.steps.map((node) => ("parallel" in node ? "" : node.name));
  return fold(instance, [{ kind: "migrate", version: 2, doc: to, was }], 0);
};
const faultsOf = (from: SagaDoc, done: number, to: SagaDoc) =>
  migration(reached(from, done), from, to).faults.map(({ code, pointer }) => [code, pointer]);

const A = step("a");
const B = step("b");
const C = step("c");
const ABC = sagaOf(A, B, C);

describe("the difference", () => {
  it("names steps that come, go and change, with their members", () => {
    const to = {
      ...sagaOf(A, step("c", { optional: true, settle: "hold" }), step("d")),
      key: "$.id",
    };
    expect(migration(reached(ABC, 0), ABC, to).difference).toEqual({
      ...{ added: ["d"], removed: ["b"], reordered: false, members: ["key"] },
      changed: [{ step: "c", members: ["optional", "settle"] }],
    });
  });

  it("of a saga whose members only stand in another order is none", () => {
    const { name, ...rest } = A;
    const same = sagaOf({ ...rest, name } as StepDoc, B, C);
    expect(migration(reached(ABC, 0), ABC, same).difference).toEqual({
      ...{ added: [], removed: [], changed: [], reordered: false, members: [] },
    });
  });

  it.each([
    ["in another order", sagaOf(B, A, C)],
    ["side by side", sagaOf(A, { parallel: [[B], [C]] })],
  ])("tells that steps stand %s", (_, to) => {
    expect(migration(reached(ABC, 0), ABC, to).difference.reordered).toBe(true);
  });
});

describe("a migration", () => {
  it("may change, add and take out what has not been reached", () => {
    const to = sagaOf(
      A,
      step("new"),
      step("c", { action: { http: { url: "https://y.example/" } } }),
    );
    expect(faultsOf(ABC, 1, to)).toEqual([]);
  });

  it("may mend an undo that has not been asked for", () => {
    const mended = step("a", { compensate: { http: { url: "https://y.example/un-a" } } });
    expect(faultsOf(ABC, 1, sagaOf(mended, B, C))).toEqual([]);
  });

  it("keeps what has been done, and goes on with what is new", () => {
    const to = sagaOf(A, step("new"), C);
    const [ended, calls] = run(migrated(reached(ABC, 1), ABC, to), () => true);
    expect(ended.status).toBe("COMPLETED");
    expect(calls.map(({ name }) => name)).toEqual(["new", "c"]);
  });

  it("knows which event was used by which step", () => {
    const wait = { name: "w", wait: { event: { type: ["paid"] }, timeoutSeconds: 60 } };
    const from = sagaOf(wait, B);
    const event: Entry = { kind: "event", id: "evt_1", event: { type: "paid" } };
    const start = fold(startInstance(compileSaga(from), null, 0), [event], 0);
    const [waited] = run(start, ({ steps }) => steps[0]?.forward !== "succeeded");
    const to = sagaOf(wait, step("new"), B);
    expect(migration(waited, from, to).faults).toEqual([]);
    expect(migrated(waited, from, to).inbox.get("evt_1")?.usedBy).toBe(0);
  });

  it.each([
    ["takes out a step", sagaOf(B, C), ["reached-removed", ""]],
    [
      "changes an action",
      sagaOf(step("a", { pivot: true }), B, C),
      ["reached-changed", "/steps/0"],
    ],
    [
      "makes another kind of it",
      sagaOf({ name: "a", delay: { seconds: 1 } }, B, C),
      ["reached-changed", "/steps/0"],
    ],
    ["puts a new step before", sagaOf(step("new"), A, B, C), ["before-reached", "/steps/0"]],
    ["puts a later step before", sagaOf(B, A, C), ["before-reached", "/steps/0"]],
    ["puts a branch before", sagaOf({ parallel: [[step("x")], [A]] }, B, C), null],
  ] as const)("that %s of what has been reached is refused at its place", (_, to, fault) => {
    // A new branch beside a reached step runs before none of what has been reached.
    expect(faultsOf(ABC, 1, to)).toEqual(fault === null ? [] : [fault]);
  });

  it("that puts two reached steps in another order is refused", () => {
    expect(faultsOf(ABC, 2, sagaOf(B, A, C))).toEqual([["reached-moved", "/steps/0"]]);
  });

  it("is refused where the undo that changes has been asked for", () => {
    const failed = sagaOf(A, B);
    let instance = reached(failed, 1);
    instance = fold(instance, [{ kind: "status", status: "COMPENSATING", reason: "why" }], 0);
    instance = fold(instance, [{ kind: "request", step: 0, direction: "undo" }], 0);
    const mended = sagaOf(step("a", { compensate: { http: { url: "https://y.example/" } } }), B);
    expect(migration(instance, failed, mended).faults).toMatchObject([{ code: "reached-changed" }]);
  });
});

const NAMES = ["a", "b", "c", "d", "e", "f"];
/** A step is one of three variants: the same, another action, another undo only. */
const variant = (name: string, kind: number): StepDoc =>
  step(name, {
    ...(kind === 1 ? { action: { http: { url: `https://y.example/${name}` } } } : {}),
    ...(kind === 2 ? { compensate: { http: { url: `https://y.example/un-${name}` } } } : {}),
  });
const serial = fc
  .shuffledSubarray(NAMES, { minLength: 1 })
  .chain((names) =>
    fc
      .array(fc.constantFrom(0, 0, 1, 2), { minLength: names.length, maxLength: names.length })
      .map((kinds) => names.map((name, at) => variant(name, kinds[at] ?? 0))),
  );

describe("of random sagas", () => {
  it("a migration is allowed exactly when the reached steps begin the new one as they were", () => {
    let allowed = 0;
    fc.assert(
      fc.property(serial, serial, fc.nat(6), fc.boolean(), (before, other, done, isEdit) => {
        const from = sagaOf(...before);
        const instance = reached(from, done);
        const count = doneOf(instance).length;
        // Half of them are edits of what is not reached, so that both answers are met.
        const kept = before.slice(0, count);
        const fresh = other.filter(({ name }) => !kept.some((each) => each.name === name));
        const to = sagaOf(...(isEdit ? [...kept, ...fresh] : other));
        const begins = kept.every((each, at) => {
          const there = to.steps[at] as StepDoc | undefined;
          return (
            there?.name === each.name &&
            JSON.stringify(there.action) === JSON.stringify(each.action)
          );
        });
        const { faults } = migration(instance, from, to);
        expect(faults.length === 0).toBe(begins);
        if (!begins) return;
        allowed += 1;
        const moved = migrated(instance, from, to);
        const [ended, calls] = run(moved, () => true);
        expect(ended.status).toBe("COMPLETED");
        const names = to.steps.map((node) => (node as StepDoc).name);
        expect(calls.map(({ name }) => name)).toEqual(names.slice(count));
        const status = { kind: "status", status: "COMPENSATING", reason: "why" } as const;
        const [undone, undos] = run(fold(moved, [status], 0), () => true);
        expect(undone.status).toBe("COMPENSATED");
        const reversed = kept.map(({ name }) => ({ name, direction: "undo" })).reverse();
        expect(undos).toEqual(reversed);
      }),
      { numRuns: 2_000 },
    );
    expect(allowed).toBeGreaterThan(500);
  });

  it("with branches, what is allowed repeats nothing that was done", () => {
    const nodes = (steps: readonly StepDoc[]): NodeDoc[] =>
      steps.length < 3
        ? [...steps]
        : [{ parallel: [steps.slice(0, 2), steps.slice(2, 3)] }, ...steps.slice(3)];
    let allowed = 0;
    fc.assert(
      fc.property(serial, serial, fc.nat(6), fc.boolean(), (before, other, done, isFlat) => {
        const from = { steps: nodes(before) };
        const instance = reached(from, done);
        const known = new Map(
          instance.saga.steps.map(({ name }, at) => [name, instance.steps[at]?.forward]),
        );
        const fresh = other.filter(({ name }) => !before.some((each) => each.name === name));
        const all = [...before, ...fresh];
        const to = { steps: isFlat ? all : nodes(all) };
        if (migration(instance, from, to).faults.length > 0) return;
        allowed += 1;
        const [ended, calls] = run(migrated(instance, from, to), () => true);
        expect(ended.status).toBe("COMPLETED");
        const again = calls.filter(({ name }) => known.get(name) === "succeeded");
        expect(again).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
    expect(allowed).toBeGreaterThan(300);
  });
});
