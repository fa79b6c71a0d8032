/** The verdict on a crash run of sagas, shown to find what it looks for: each case plants one fault. */
import { describe, expect, it } from "vitest";
import type { StepName } from "./plan.ts";
import { type Effect, type Ended, sagaVerdict } from "./verdict.ts";

const FORWARD: readonly StepName[] = ["reserve", "authorise", "label", "ship", "mail"];

const effectsOf = (
  saga: string,
  direction: Effect["direction"],
  steps: readonly StepName[],
): Effect[] =>
  steps.map((step) => ({ saga, step, direction, key: `${saga} ${step} ${direction}` }));

/** One order that is whole, one that was undone when its label was refused. */
function goodRun() {
  const ended = (id: string, status: string): Ended => {
    return { id, key: `o-${id}`, status, reason: null, commands: 0 };
  };
  const effects = [
    ...effectsOf("whole", "action", FORWARD),
    ...effectsOf("undone", "action", ["reserve", "authorise"]),
    ...effectsOf("undone", "undo", ["authorise", "reserve"]),
  ];
  const instances = [ended("whole", "COMPLETED"), ended("undone", "COMPENSATED")];
  return { started: ["o-whole", "o-undone"], instances, effects };
}

type Run = ReturnType<typeof goodRun>;

function judged(change: (run: Run) => void) {
  const run = goodRun();
  change(run);
  return sagaVerdict(run);
}

describe("a run without faults", () => {
  it("is clean", () => {
    expect(judged(() => {})).toEqual({ completed: 1, compensated: 1, faults: [] });
  });

  it("may lack what is optional, and undo branches in either order", () => {
    const verdict = judged(({ effects }) => {
      effects.splice(4, 1);
      effects.push(...effectsOf("undone", "action", ["label"]));
      effects.splice(6, 2);
      effects.push(...effectsOf("undone", "undo", ["authorise", "label", "reserve"]));
    });
    expect(verdict.faults).toEqual([]);
  });
});

describe("a fault is found when", () => {
  it.each<[string, RegExp, (run: Run) => void]>([
    ["an order was never begun", /o-lost has 0 instances/, ({ started }) => started.push("o-lost")],
    [
      "an order has two instances",
      /o-whole has 2 instances/,
      ({ instances }) => instances.push({ ...(instances[0] as Ended), id: "copy" }),
    ],
    ["an instance has not ended", /has not ended: down/, set(0, "STUCK")],
    ["nobody knows of the instance", /no such instance/, ({ instances }) => instances.pop()],
    ["an effect is missing", /without ship/, ({ effects }) => effects.splice(3, 1)],
    [
      "an effect came twice",
      /came twice/,
      ({ effects }) => effects.push(...effectsOf("whole", "action", ["reserve"])),
    ],
    [
      "an undo came twice",
      /came twice/,
      ({ effects }) => effects.push(...effectsOf("undone", "undo", ["reserve"])),
    ],
    [
      "what completed was undone",
      /mail undone/,
      ({ effects }) => effects.push(...effectsOf("whole", "undo", ["mail"])),
    ],
    ["an effect is not undone", /reserve left standing/, ({ effects }) => effects.pop()],
    [
      "an effect comes after its undo",
      /authorise undone too soon/,
      ({ effects }) => effects.push(...effects.splice(6, 1)),
    ],
    [
      "an undo is of what never was",
      /label undone too soon/,
      ({ effects }) => effects.splice(7, 0, ...effectsOf("undone", "undo", ["label"])),
    ],
    [
      "undone is what began first",
      /another order/,
      ({ effects }) => effects.splice(7, 0, ...effects.splice(8, 1)),
    ],
    [
      "something is undone after the pivot",
      /passed ship/,
      ({ effects }) => effects.splice(7, 0, ...effectsOf("undone", "action", ["ship"])),
    ],
    [
      "a person was needed",
      /a person was needed/,
      ({ instances }) => instances.splice(0, 1, { ...(instances[0] as Ended), commands: 1 }),
    ],
  ])("%s", (_, expected, change) => {
    expect(judged(change).faults.join("\n")).toMatch(expected);
  });
});

function set(at: number, status: string) {
  return ({ instances }: Run): void => {
    instances.splice(at, 1, { ...(instances[at] as Ended), status, reason: "down" });
  };
}
