/** Every run of small sagas, with crashes and a bad network, ends whole or undone; wrong ways to build it do not. */
import { describe, expect, it } from "vitest";
import { type Budget, check, type Mutant } from "./model.ts";
import { actionStep, asyncStep, childStep, sagaOf } from "./sketches.ts";

const two = sagaOf([actionStep("a"), actionStep("b")]);
const three = sagaOf([actionStep("a"), actionStep("b"), actionStep("c")]);
const parallel = sagaOf([actionStep("a"), actionStep("b"), actionStep("c")], [0, [[1], [2]]]);
const pivot = sagaOf([
  actionStep("a"),
  actionStep("b", { isPivot: true, compensate: null, retry: { delaysSeconds: [1, 1, 1, 1] } }),
]);
const later = sagaOf([asyncStep("a"), asyncStep("b")]);
const laterOnce = sagaOf([asyncStep("a")]);
const laterBeside = sagaOf([actionStep("a"), asyncStep("b"), actionStep("c")], [0, [[1], [2]]]);
const childBeside = sagaOf([actionStep("a"), childStep("b"), actionStep("c")], [0, [[1], [2]]]);
const tombstone = sagaOf([actionStep("a", { settle: "tombstone" }), actionStep("b")]);

const budget = (crashes: number, faults: number, rejections: number): Budget => {
  return { crashes, faults, rejections };
};

describe("the decision core", () => {
  it.each([
    ["two steps, a crash and two faults", two, budget(1, 2, 1)],
    ["two steps, two crashes and a fault", two, budget(2, 1, 1)],
    ["three steps", three, budget(1, 1, 1)],
    ["steps side by side", parallel, budget(1, 1, 1)],
    ["a pivot", pivot, budget(1, 1, 0)],
    ["callbacks, a crash and a refusal", later, budget(1, 0, 1)],
    ["callbacks, a fault and a refusal", later, budget(0, 1, 1)],
    ["a callback, with all of them", laterOnce, budget(1, 1, 1)],
    ["a callback beside others", laterBeside, budget(1, 1, 1)],
    [
      "a person who overrides what waits for a callback",
      later,
      { ...budget(0, 1, 1), commands: 1 },
    ],
    ["a child, with all of them", sagaOf([childStep("a"), actionStep("b")]), budget(1, 1, 1)],
    ["a child beside others", childBeside, budget(1, 1, 1)],
    ["targets that are closed", two, { ...budget(1, 1, 1), holds: 2 }],
    ["targets that are closed, side by side", parallel, { ...budget(0, 1, 1), holds: 2 }],
    ["a callback, and targets that are closed", laterOnce, { ...budget(1, 0, 1), holds: 2 }],
    ["a person who overrides", two, { ...budget(1, 1, 1), commands: 1 }],
  ])("ends every run in balance: %s", (_, saga, given) => {
    const { runs, violation } = check(saga, given);
    expect(violation).toBeNull();
    expect(runs).toBeGreaterThan(100);
  });

  it("undoes at once what a receiver promises to refuse later", () => {
    expect(check(tombstone, budget(1, 2, 1), null, { refusesUndone: true }).violation).toBeNull();
    expect(check(tombstone, budget(0, 2, 1)).violation).toMatch(/out of balance|twice/);
  });

  it("is found out when what waits for its callback is taken for nothing", () => {
    const mutant = "a step that waits for its callback is taken for one that has no effect";
    expect(check(laterBeside, budget(0, 0, 1)).violation).toBeNull();
    expect(check(laterBeside, budget(0, 0, 1), mutant).violation).toMatch(/out of balance/);
  });

  it.each<[Mutant, Budget]>([
    ["the attempt's number is in the key", budget(0, 1, 0)],
    ["an undo is registered when its action has succeeded", budget(1, 2, 1)],
    ["a step in doubt is undone without being settled", budget(0, 2, 1)],
    ["an answer needs no token", { ...budget(0, 1, 1), commands: 1 }],
    ["a request is rendered anew for each attempt", budget(0, 1, 0)],
    ["an alarm is set to now", budget(1, 0, 0)],
    ["a held step ignores when it is due", { ...budget(0, 0, 0), holds: 1 }],
  ])("is found out when %s", (mutant, given) => {
    expect(check(two, given, mutant).violation).not.toBeNull();
  });
});
