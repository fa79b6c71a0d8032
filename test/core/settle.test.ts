/** The states of a delivery: every move between two of them, allowed or refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SETTLE_GROUP_MAX } from "../../src/core/limits.ts";
import {
  DELIVERY_STATES,
  type DeliveryState,
  isFinal,
  mayMove,
  OWED_STATES,
  settleGroupMax,
} from "../../src/core/settle.ts";

/** Row: from. Column: to, in the order of DELIVERY_STATES. */
const TABLE: Readonly<Record<DeliveryState, string>> = {
  //           pending delivering delivered retrying parked dead cancelled
  pending: "      -        yes       -        -       yes   yes    yes",
  delivering: "  yes        -       yes      yes      yes   yes    yes",
  delivered: "    -         -        -        -        yes   -      -",
  retrying: "     -        yes       -        -       yes   yes    yes",
  parked: "      yes        -        yes      -        -    yes    yes",
  dead: "        yes        -        -        -        -     -     yes",
  cancelled: "   yes        -        -        -        yes   -      -",
};

const state = fc.constantFrom(...DELIVERY_STATES);

describe("a delivery", () => {
  it.each(DELIVERY_STATES)("that is %s moves where the table says and nowhere else", (from) => {
    const cells = TABLE[from].trim().split(/\s+/);
    expect(cells).toHaveLength(DELIVERY_STATES.length);
    for (const [index, to] of DELIVERY_STATES.entries()) {
      expect([to, mayMove(from, to)]).toEqual([to, cells[index] === "yes"]);
    }
  });

  it("leaves delivered only to be pulled once more", () => {
    fc.assert(
      fc.property(state, (to) => {
        expect(mayMove("delivered", to)).toBe(to === "parked");
      }),
    );
  });

  it("becomes delivered by an attempt, or out of the hands of whoever pulled it", () => {
    fc.assert(
      fc.property(state, (from) => {
        expect(mayMove(from, "delivered")).toBe(from === "delivering" || from === "parked");
      }),
    );
  });

  it("is final, or owed, or parked: never two of these", () => {
    for (const each of DELIVERY_STATES) {
      const kinds = [isFinal(each), OWED_STATES.some((owed) => owed === each), each === "parked"];
      expect([each, kinds.filter(Boolean).length]).toEqual([each, 1]);
    }
  });

  it("can still become delivered from every other state", () => {
    const reachable = new Set<DeliveryState>(["delivered"]);
    for (const _ of DELIVERY_STATES) {
      for (const from of DELIVERY_STATES) {
        if ([...reachable].some((to) => mayMove(from, to))) reachable.add(from);
      }
    }
    expect([...reachable].toSorted()).toEqual([...DELIVERY_STATES].toSorted());
  });
});

describe("the results written together", () => {
  it.each([
    [0, 1],
    [1, 1],
    [8, 1],
    [9, 2],
    [100, 13],
    [320, SETTLE_GROUP_MAX],
    [100_000, SETTLE_GROUP_MAX],
  ])("of a batch of %i are at most %i", (results, most) => {
    expect(settleGroupMax(results)).toBe(most);
  });
});
