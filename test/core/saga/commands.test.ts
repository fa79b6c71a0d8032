/** What a person may do with an instance, state by state. */
import { describe, expect, it } from "vitest";
import { COMMANDS, type Command, commanded } from "../../../src/core/saga/commands.ts";
import { fold } from "../../../src/core/saga/fold.ts";
import { type Entry, type Instance, startInstance } from "../../../src/core/saga/instance.ts";
import { plan } from "../../../src/core/saga/plan.ts";
import { actionStep, sagaOf } from "./sketches.ts";

const NONE: ReadonlySet<number> = new Set();
const fresh = () => startInstance(sagaOf([actionStep("a"), actionStep("b")]), null, 0);
const folded = (instance: Instance, ...entries: Entry[]) => fold(instance, entries, 1_000);
const request = (step: number): Entry => ({ kind: "request", step, direction: "action" });
const answered = (step: number, token: number, kind: "succeeded" | "rejected"): Entry => ({
  ...{ kind: "answer", step, direction: "action", token, retryAtMs: null },
  outcome: kind === "succeeded" ? { kind, output: 1 } : { kind, error: "no" },
});
const stuck = () =>
  folded(fresh(), request(0), answered(0, 1, "rejected"), {
    ...{ kind: "status", status: "STUCK", reason: "a: no" },
  });

function ask(instance: Instance, kind: Command["kind"], more: Partial<Command> = {}) {
  const result = commanded(instance, { kind, reason: "because", ...more }, 2_000);
  return result.ok ? folded(instance, ...result.entries) : result;
}

describe("a command", () => {
  it.each(COMMANDS)("%s is refused of an instance that has ended", (kind) => {
    const ended = folded(fresh(), { kind: "status", status: "COMPLETED", reason: null });
    expect(ask(ended, kind, { step: "a" })).toMatchObject({ ok: false, isState: true });
  });

  it.each(["retry-step", "skip-step", "override-step", "signal"] as const)(
    "%s of no step says which there are",
    (kind) => {
      expect(ask(stuck(), kind, { step: "z" })).toMatchObject({
        ...{ ok: false, isState: false },
        detail: 'There is no step "z". The steps are "a", "b".',
      });
    },
  );

  it("pauses: nothing new begins, and all that waits does so for as much longer", () => {
    const waiting = folded(fresh(), { kind: "deadline", atMs: 10_000 });
    const paused = ask(waiting, "pause") as Instance;
    expect(plan(paused, 5_000, NONE)).toEqual({ kind: "sleep", untilMs: null });
    expect(ask(paused, "pause")).toMatchObject({ ok: false });
    const resumed = fold(paused, [{ kind: "resume" }], 7_000);
    expect(resumed).toMatchObject({ pausedAtMs: null, deadlineAtMs: 16_000 });
    expect(plan(resumed, 7_000, NONE)).toMatchObject({ kind: "call" });
  });

  it("that is given in a pause counts as of its beginning: a retry is made when it ends", () => {
    const started = folded(fresh(), request(0), { kind: "deadline", atMs: 10_000 });
    const paused = (instance: Instance) => fold(instance, [{ kind: "pause" }], 1_000);
    const resumedAfter = (
      instance: Instance,
      kind: Command["kind"],
      more: Partial<Command> = {},
    ) => {
      const result = commanded(instance, { kind, reason: "because", ...more }, 100_000);
      if (!result.ok) throw new Error(result.detail);
      return fold(instance, [...result.entries, { kind: "resume" }], 100_000);
    };
    const retried = resumedAfter(paused(stuck()), "retry-step", { step: "a" });
    expect(plan(retried, 100_000, NONE)).toMatchObject({ kind: "call", calls: [{ step: 0 }] });
    const extended = resumedAfter(paused(started), "extend-deadline", { seconds: 60 });
    expect(extended).toMatchObject({ deadlineAtMs: 169_000 });
    const outcome = { kind: "unknown", error: "timeout" } as const;
    const unknown = { ...answered(0, 1, "rejected"), outcome, retryAtMs: 95_000 } as Entry;
    const doubtful = resumedAfter(fold(paused(started), [unknown], 90_000), "resume");
    expect(plan(doubtful, 100_000, NONE)).toEqual({ kind: "sleep", untilMs: 105_000 });
  });

  it("retries what failed, under the same key, where it was stuck", () => {
    const retried = ask(stuck(), "retry-step", { step: "a" }) as Instance;
    expect(retried).toMatchObject({ status: "RUNNING", steps: [{ epoch: 0, attempts: 0 }, {}] });
    expect(plan(retried, 2_000, NONE)).toMatchObject({ calls: [{ step: 0, direction: "action" }] });
    expect(ask(stuck(), "retry-step", { step: "b" })).toMatchObject({ ok: false, isState: true });
  });

  it("runs a step again as a new effect, under another key and rendered anew", () => {
    const rerun = ask(stuck(), "rerun-step", { step: "a" }) as Instance;
    expect(rerun.steps[0]).toMatchObject({ epoch: 1, forward: "pending" });
    expect(rerun.steps[0]?.requests.action).toBeNull();
  });

  it("skips or overrides a step, and the next one runs", () => {
    for (const kind of ["skip-step", "override-step"] as const) {
      const done = ask(stuck(), kind, { step: "a", output: { id: 7 } }) as Instance;
      expect(done).toMatchObject({ status: "RUNNING", steps: [{ output: { id: 7 } }, {}] });
      expect(plan(done, 2_000, NONE)).toMatchObject({ calls: [{ step: 1 }] });
    }
    expect(ask(stuck(), "override-step", { step: "a" })).toMatchObject({
      ok: false,
      isState: false,
    });
  });

  it("fences the answer that is still under way", () => {
    const asked = folded(fresh(), request(0));
    const done = ask(asked, "override-step", { step: "a", output: 1 }) as Instance;
    expect(folded(done, answered(0, 1, "rejected")).steps[0]?.forward).toBe("succeeded");
  });

  it("compensates until the pivot has begun, and not after", () => {
    const saga = sagaOf([actionStep("a"), actionStep("p", { isPivot: true, compensate: null })]);
    const before = folded(startInstance(saga, null, 0), request(0), answered(0, 1, "succeeded"));
    expect(ask(before, "compensate")).toMatchObject({ status: "COMPENSATING", reason: "because" });
    expect(ask(folded(before, request(1)), "compensate")).toMatchObject({
      ok: false,
      isState: true,
    });
  });

  it.each([
    ["is rejected", [request(1), answered(1, 3, "rejected")]],
    ["is not begun by its deadline", [{ kind: "deadline", atMs: 1_500 } as const]],
  ] as const)("undoes nothing when a pivot in doubt is run anew and %s", (_, entries) => {
    const saga = sagaOf([actionStep("a"), actionStep("p", { isPivot: true, compensate: null })]);
    const inDoubt: Entry = {
      ...{ kind: "answer", step: 1, direction: "action", token: 1, retryAtMs: null },
      outcome: { kind: "unknown", error: "timeout" },
    };
    const begun = folded(startInstance(saga, null, 0), request(0), answered(0, 1, "succeeded"));
    const given = folded(begun, request(1), inDoubt);
    const stuckNow = { entries: [{ kind: "status", status: "STUCK" }] };
    expect(plan(given, 1_000, NONE)).toMatchObject(stuckNow);
    const anew = ask(
      folded(given, { kind: "status", status: "STUCK", reason: "p: timeout" }),
      "rerun-step",
      { step: "p" },
    ) as Instance;
    expect(anew).toMatchObject({
      status: "RUNNING",
      steps: [{}, { epoch: 1, forward: "pending" }],
    });
    const after = folded(anew, ...entries);
    expect(plan(after, 2_000, NONE)).toMatchObject(stuckNow);
    expect(ask(after, "compensate")).toMatchObject({ ok: false, isState: true });
  });

  it("leaves a step as it is, or takes it for undone, only while compensating", () => {
    const undoing = folded(fresh(), request(0), answered(0, 1, "succeeded"), {
      ...{ kind: "status", status: "COMPENSATING", reason: "x" },
    });
    expect(ask(undoing, "skip-compensation", { step: "a" })).toMatchObject({
      steps: [{ undo: "skipped" }, {}],
    });
    expect(ask(undoing, "mark-compensated", { step: "a" })).toMatchObject({
      steps: [{ undo: "done" }, {}],
    });
    expect(ask(undoing, "mark-compensated", { step: "b" })).toMatchObject({ ok: false });
    expect(ask(fresh(), "skip-compensation", { step: "a" })).toMatchObject({ ok: false });
    expect(ask(undoing, "skip-step", { step: "b" })).toMatchObject({ ok: false, isState: true });
  });

  it("abandons: it has failed, and says why", () => {
    expect(ask(stuck(), "abandon")).toMatchObject({ status: "FAILED", reason: "because" });
  });

  it("gives more time from the deadline, or from now when that has passed", () => {
    const due = folded(fresh(), { kind: "deadline", atMs: 1_500 });
    expect(ask(due, "extend-deadline", { seconds: 10 })).toMatchObject({ deadlineAtMs: 12_000 });
    expect(ask(fresh(), "extend-deadline", { seconds: 10 })).toMatchObject({ ok: false });
    expect(ask(due, "extend-deadline")).toMatchObject({ ok: false, isState: false });
  });

  it("gives more time to what is stuck by its deadline, and it goes on; by a failure it stays so", () => {
    const late: Entry[] = [
      { kind: "deadline", atMs: 1_500 },
      { kind: "status", status: "STUCK", reason: "the deadline has passed" },
    ];
    const saga = sagaOf([actionStep("p", { isPivot: true, compensate: null }), actionStep("b")]);
    const begun = folded(startInstance(saga, null, 0), request(0), answered(0, 1, "succeeded"));
    const extended = ask(folded(begun, ...late), "extend-deadline", { seconds: 10 }) as Instance;
    expect(extended).toMatchObject({ status: "RUNNING", reason: null, deadlineAtMs: 12_000 });
    expect(plan(extended, 2_000, NONE)).toMatchObject({ kind: "call", calls: [{ step: 1 }] });
    const failed = folded(stuck(), { kind: "deadline", atMs: 1_500 });
    expect(ask(failed, "extend-deadline", { seconds: 10 })).toMatchObject({
      ...{ status: "STUCK", reason: "a: no", deadlineAtMs: 12_000 },
    });
    const undoing = folded(begun, { kind: "status", status: "COMPENSATING", reason: "x" }, ...late);
    expect(ask(undoing, "extend-deadline", { seconds: 10 })).toMatchObject({
      ...{ status: "STUCK", stuckIn: "COMPENSATING" },
    });
  });
});
