/** The account of a crash run of a fan-out finds every planted fault, and none in a run without one. */
import { describe, expect, it } from "vitest";
import { elementOf, refusedOf } from "./plan.ts";
import { type Arrival, type FanOutFacts, fanOutVerdict } from "./verdict.ts";

const OPTIONS = { seed: 1, elements: 100, kills: 1 };
const REFUSED = refusedOf(OPTIONS);

const arrivalOf = (index: number, more: Partial<Arrival> = {}): Arrival => ({
  ...{ index, body: JSON.stringify(elementOf(1, index)), event: `evt_${index}` },
  ...{ webhookId: `dlv_${index}`, isRefused: false, isRetry: false, ...more },
});

function facts(more: Partial<FanOutFacts> = {}): FanOutFacts {
  const first = Array.from({ length: 100 }, (_, index) =>
    arrivalOf(index, { isRefused: REFUSED.includes(index) }),
  );
  const common = { total: 100, sent: 100, percent: 100 };
  return {
    ...{ options: OPTIONS, kills: 1, redriven: REFUSED.length },
    arrivals: [...first, ...REFUSED.map((index) => arrivalOf(index, { isRetry: true }))],
    before: { ...common, delivered: 100 - REFUSED.length, failed: REFUSED.length },
    after: { ...common, delivered: 100, failed: 0 },
    ...more,
  };
}

const [failing = -1] = REFUSED;
const well = [...Array(100).keys()].find((index) => !REFUSED.includes(index)) ?? -1;
const plus = (index: number, more: Partial<Arrival>): Partial<FanOutFacts> => ({
  arrivals: [...facts().arrivals, arrivalOf(index, more)],
});
const without = (lost: (arrival: Arrival) => boolean): Partial<FanOutFacts> => ({
  arrivals: facts().arrivals.filter((arrival) => !lost(arrival)),
});

describe("the account of a fan-out", () => {
  it("finds nothing where nothing is wrong, and a repeat under the same key is none", () => {
    expect(REFUSED.length).toBeGreaterThan(0);
    expect(fanOutVerdict(facts())).toEqual({
      ...{ arrived: 100, repeats: 0, refused: REFUSED.length, retried: REFUSED.length, faults: [] },
    });
    expect(fanOutVerdict(facts(plus(well, {})))).toMatchObject({ repeats: 1, faults: [] });
  });

  it.each<[string, Partial<FanOutFacts>, string]>([
    ["an element that never came", without(({ index }) => index === well), "never came"],
    [
      "one under a second key",
      plus(well, { webhookId: "dlv_x" }),
      "came under 2 names (webhookId)",
    ],
    ["one that is two events", plus(well, { event: "evt_x" }), "came under 2 names (event)"],
    ["two under one key", plus(100, { webhookId: "dlv_0" }), "has the name of element 0"],
    ["one that is none of the list", plus(100, {}), "is none of the list"],
    ["other bytes", plus(well, { body: "{}" }), "came with other bytes"],
    ["a retry of what had not failed", plus(well, { isRetry: true }), "had not failed"],
    ["no retry of what had", without(({ isRetry }) => isRetry), "failed and was not retried"],
    [
      "a retry that was never taken",
      without((each) => each.isRetry && each.index === failing),
      "was never taken",
    ],
    ["too many retried", { redriven: 100 }, "100 were retried of"],
    ["counts that are wrong", { before: { ...facts().before, failed: 0 } }, "it says failed 0"],
    ["an end that is none", { after: { ...facts().after, delivered: 99 } }, "it says delivered 99"],
    ["more repeats than a kill explains", { ...plus(well, {}), kills: 0 }, "1 repeats of 0 kills"],
  ])("finds %s", (_, planted, fault) => {
    expect(fanOutVerdict(facts(planted)).faults.join("\n")).toContain(fault);
  });
});
