/** Which queue an event enters by. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  demote,
  mostUrgent,
  PRIORITIES,
  type Priority,
  prioritiesOf,
  type Subscription,
} from "../../src/core/priority.ts";

const priority = fc.constantFrom(...PRIORITIES);
const subscriptions = fc.array(fc.record({ rule: fc.string(), target: fc.string(), priority }), {
  maxLength: 6,
});
const rank = (each: Priority): number => PRIORITIES.indexOf(each);
const bound = (each: Priority): Subscription => ({ rule: "r", target: "t", priority: each });

describe("priorities", () => {
  it("are critical, normal and bulk, most urgent first", () => {
    expect(PRIORITIES).toEqual(["critical", "normal", "bulk"]);
  });

  it("let an event in by the most urgent of its subscriptions", () => {
    fc.assert(
      fc.property(fc.array(priority, { minLength: 1 }), (present) => {
        const chosen = mostUrgent(present);
        expect(present).toContain(chosen);
        expect(present.every((each) => rank(chosen) <= rank(each))).toBe(true);
      }),
    );
  });

  it("let an event that nobody wants travel as bulk", () => {
    expect(mostUrgent([])).toBe("bulk");
    expect(prioritiesOf([])).toEqual([]);
  });

  it("are named once each, most urgent first", () => {
    expect(prioritiesOf([bound("bulk"), bound("critical"), bound("bulk")])).toEqual([
      "critical",
      "bulk",
    ]);
  });
});

describe("demotion", () => {
  it("changes nothing but the priority, and drops no subscription", () => {
    fc.assert(
      fc.property(subscriptions, (before) => {
        const after = demote(before);
        expect(after.map(({ rule, target }) => [rule, target])).toEqual(
          before.map(({ rule, target }) => [rule, target]),
        );
        expect(after.every((each) => each.priority === "bulk")).toBe(true);
      }),
    );
  });

  it("does not touch what it was given", () => {
    const before = [bound("critical")];
    demote(before);
    expect(before).toEqual([bound("critical")]);
  });
});
