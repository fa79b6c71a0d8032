/** The verdict of a crash run, shown to find what it looks for: each case plants one fault in a good run. */
import { describe, expect, it } from "vitest";
import { planOf } from "./plan.ts";
import {
  type Arrival,
  deliveryKey,
  type Facts,
  type SentEvent,
  type Verdict,
  verdictOf,
} from "./verdict.ts";

const TARGETS = ["first", "second"];

const sentEvent = (index: number, more: Partial<SentEvent> = {}): SentEvent => ({
  ...{ index, tenant: "acme", bodyHash: `hash ${index}`, ids: new Set([`evt_${index}`]) },
  ...{ receipts: [`rcp_${index}`], refusals: [], requests: 1 },
  ...more,
});

const arrival = (index: number, target: string, more: Partial<Arrival> = {}): Arrival => ({
  ...{ index, event: `evt_${index}`, target, bodyHash: `hash ${index}` },
  ...{ webhookId: `dlv_${index}_${target}`, outcome: "answered", atMs: 0 },
  ...more,
});

/** Three events, each delivered to both targets and written down. */
function goodRun() {
  const sent = [0, 1, 2].map((index) => sentEvent(index));
  const arrivals = sent.flatMap(({ index }) => TARGETS.map((target) => arrival(index, target)));
  const ledger = new Map(
    arrivals.map(({ event, target }) => [deliveryKey(event, target), "delivered"]),
  );
  return { sent, arrivals, ledger, targets: TARGETS };
}

const CLEAN: Verdict = {
  ...{ accepted: 3, ok: 3, recovered: 0, unknown: 0, repeatsMs: [] },
  ...{ late: [], lost: [], unexpected: [], faults: [] },
};

type Run = ReturnType<typeof goodRun>;
const judged = (change: (run: Run) => void): Verdict => {
  const run = goodRun();
  change(run);
  return verdictOf(run satisfies Facts);
};
const without = (run: Run, index: number, target: string): void => {
  const at = run.arrivals.findIndex((each) => each.index === index && each.target === target);
  run.arrivals.splice(at, 1);
};

describe("a run without faults", () => {
  it("is clean", () => {
    expect(judged(() => {})).toEqual(CLEAN);
  });

  it("counts attempts that failed, hung or were cut off as no repeats", () => {
    const verdict = judged(({ arrivals }) => {
      for (const outcome of ["error", "throttled", "hang", "hang-up", "cut"] as const)
        arrivals.push(arrival(0, "first", { outcome }));
    });
    expect(verdict).toEqual(CLEAN);
  });

  it("tells an event whose sender heard nothing by whether it came", () => {
    const verdict = judged(({ sent }) => {
      sent[0]?.ids.clear();
      sent.push(sentEvent(3, { ids: new Set() }));
    });
    expect(verdict).toEqual({ ...CLEAN, accepted: 2, ok: 2, recovered: 1, unknown: 1 });
  });
});

describe("an accepted event is lost", () => {
  it.each<[string, (run: Run) => void]>([
    [
      "when no trace of it is left",
      (run) => {
        for (const target of TARGETS) {
          without(run, 1, target);
          run.ledger.delete(deliveryKey("evt_1", target));
        }
      },
    ],
    ["when one target never saw it, whatever the ledger says", (run) => without(run, 1, "second")],
    [
      "when a target only failed it",
      (run) => {
        without(run, 1, "first");
        run.arrivals.push(arrival(1, "first", { outcome: "hang" }));
      },
    ],
    ["when the ledger gave it up", (run) => run.ledger.set(deliveryKey("evt_1", "first"), "dead")],
    ["when the ledger forgot it", (run) => run.ledger.delete(deliveryKey("evt_1", "first"))],
    [
      "when it never heard 202, reached one target, and not the other",
      (run) => {
        run.sent[1]?.ids.clear();
        without(run, 1, "second");
      },
    ],
  ])("%s", (_, change) => {
    const verdict = judged(change);
    expect(verdict.lost).toEqual([expect.stringContaining("webhook 1")]);
    expect(verdict.ok).toBe(2);
  });

  it("not while the ledger says that it is still owed: then it is late", () => {
    const verdict = judged((run) => {
      without(run, 1, "first");
      run.ledger.set(deliveryKey("evt_1", "first"), "retrying");
    });
    expect(verdict).toMatchObject({ lost: [], late: [expect.stringContaining("retrying")], ok: 2 });
  });
});

describe("damage is found", () => {
  it.each<[string, (run: Run) => void, string]>([
    [
      "in the bytes of a single attempt",
      (run) => run.arrivals.push(arrival(0, "first", { bodyHash: "other", outcome: "error" })),
      "other bytes",
    ],
    [
      "in a repeat with another webhook-id",
      (run) => run.arrivals.push(arrival(0, "first", { webhookId: "dlv_new", outcome: "cut" })),
      "webhook-id changed at first",
    ],
    [
      "in a webhook-id that two deliveries share",
      (run) => run.arrivals.push(arrival(0, "first", { webhookId: "dlv_1_first" })),
      "several deliveries",
    ],
    [
      "in a second id for the same webhook",
      (run) => void run.sent[0]?.ids.add("evt_other"),
      "has the ids evt_0, evt_other",
    ],
    [
      "in an event that comes under another id than was promised",
      (run) => run.arrivals.push(arrival(0, "first", { event: "evt_other", outcome: "error" })),
      "has the ids",
    ],
    [
      "in a good webhook that was refused",
      (run) => void run.sent[0]?.refusals.push("401 no-match"),
      "refused with 401",
    ],
  ])("%s", (_, change, fault) => {
    expect(judged(change).faults).toContainEqual(expect.stringContaining(fault));
  });

  it("in an event that nobody sent", () => {
    const verdict = judged(({ arrivals }) => void arrivals.push(arrival(9, "first")));
    expect(verdict).toEqual({
      ...CLEAN,
      unexpected: ["evt_9 came to first, and nobody sent it"],
    });
  });

  it("in each 2xx beyond the first", () => {
    const verdict = judged(({ arrivals }) => {
      for (const atMs of [10, 20]) arrivals.push(arrival(0, "first", { atMs }));
      arrivals.push(arrival(2, "second", { atMs: 30 }));
    });
    expect(verdict).toEqual({ ...CLEAN, repeatsMs: [10, 20, 30] });
  });
});

describe("a plan", () => {
  const options = { seed: 3, events: 200, seconds: 10, kills: 8, pauses: 3 };

  it("is the same for the same seed, and another for another", () => {
    expect(planOf(options)).toEqual(planOf(options));
    expect(planOf({ ...options, seed: 4 })).not.toEqual(planOf(options));
  });

  it("has every webhook and every fault, in the order of time and none after the end", () => {
    const { webhooks, faults } = planOf(options);
    expect(webhooks).toHaveLength(200);
    expect(Map.groupBy(faults, ({ kind }) => kind).get("group")).toHaveLength(2);
    expect(faults).toHaveLength(11);
    for (const times of [webhooks, faults].map((all) => all.map(({ atMs }) => atMs))) {
      expect(times).toEqual(times.toSorted((left, right) => left - right));
      expect(times.at(-1)).toBeLessThan(10_000);
    }
  });

  it("holds no webhook that is not JSON, or like another", () => {
    const { webhooks } = planOf(options);
    expect(webhooks.map(({ body }) => JSON.parse(body).n)).toEqual(webhooks.map((_, at) => at));
    expect(new Set(webhooks.map(({ key }) => key)).size).toBe(200);
  });
});
