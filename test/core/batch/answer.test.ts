/** What a receiver says of a batch: all of it, some of it by name, or something that cannot be told. */
import { describe, expect, it } from "vitest";
import { batchOutcomes } from "../../../src/core/batch/answer.ts";
import { BATCH_REASON_CHARS_MAX } from "../../../src/core/batch/limits.ts";
import type { Answer } from "../../../src/core/deliver/outcome.ts";

const policy = { delaysSeconds: [10, 20] };
const three = ["a", "b", "c"].map((name) => ({ names: [`dlv_${name}`, `evt_${name}`], tries: 1 }));

const answered = (body: unknown, status = 200, retryAfterMs: number | null = null): Answer => ({
  ...{ kind: "response", status, retryAfterMs },
  body: typeof body === "string" ? body : JSON.stringify(body),
});

const told = (answer: Answer, isWhole = true, deliveries = three) =>
  batchOutcomes(answer, isWhole, deliveries, policy, 0);
const states = (answer: Answer, isWhole = true) =>
  told(answer, isWhole).outcomes.map(({ state }) => state);

describe("an answer to a batch", () => {
  it.each([
    "",
    "ok",
    "[]",
    '"x"',
    "{}",
    '{"failed":[]}',
    '{"failed":"evt_a"}',
    '{"failed":2}',
    "{",
  ])("delivers all when it is 2xx with %j", (body) =>
    expect(states(answered(body, 202))).toEqual(Array(3).fill("delivered")),
  );

  it("delivers all but what it names, by the delivery or by the CloudEvent", () => {
    const answer = answered({ failed: ["dlv_a", { id: "evt_c", reason: "no such customer" }] });
    expect(told(answer)).toEqual({
      outcomes: [
        { state: "retrying", delayMs: 10_000, error: "failed in its batch" },
        { state: "delivered" },
        { state: "retrying", delayMs: 10_000, error: "failed in its batch: no such customer" },
      ],
      strangers: 0,
    });
  });

  it("names in vain what was not in the batch, and what names nothing", () => {
    const { outcomes, strangers } = told(answered({ failed: ["dlv_x", 7, {}, "evt_b"] }));
    expect(outcomes.map(({ state }) => state)).toEqual(["delivered", "retrying", "delivered"]);
    expect(strangers).toBe(2);
  });

  it("fails all when it is not 2xx, late, or none", () => {
    for (const answer of [
      answered({ failed: [] }, 500),
      answered("", 302),
      { kind: "timeout" } as const,
      { kind: "network", detail: "refused" } as const,
    ]) {
      expect(states(answer)).toEqual(Array(3).fill("retrying"));
    }
    expect(states(answered("", 410))).toEqual(Array(3).fill("dead"));
    expect(states({ kind: "refused", detail: "private" })).toEqual(Array(3).fill("dead"));
  });

  it("ends the tries of each delivery by itself", () => {
    const tried = three.map((each, at) => ({ ...each, tries: at + 1 }));
    const { outcomes } = told(answered("", 500), true, tried);
    expect(outcomes).toMatchObject([
      { state: "retrying", delayMs: 10_000 },
      { state: "retrying", delayMs: 20_000 },
      { state: "dead", error: "status 500; attempts exhausted" },
    ]);
  });

  it("is heard when it asks to wait, of some or of all", () => {
    const { outcomes } = told(answered({ failed: ["dlv_b"] }, 200, 60_000));
    expect(outcomes[1]).toMatchObject({ state: "retrying", delayMs: 60_000 });
    expect(told(answered("", 429, 60_000)).outcomes[0]).toMatchObject({ delayMs: 60_000 });
  });

  it("fails all when it may name some, and is too long to be read", () => {
    expect(states(answered('{"failed":["dlv_a", ', 200), false)).toEqual(Array(3).fill("retrying"));
    expect(states(answered("<html>", 200), false)).toEqual(Array(3).fill("delivered"));
  });

  it("is kept no longer than it helps", () => {
    const { outcomes } = told(answered({ failed: [{ id: "dlv_a", reason: "x".repeat(9_999) }] }));
    const [first] = outcomes;
    expect(first?.state === "retrying" && first.error.length).toBeLessThan(
      BATCH_REASON_CHARS_MAX + 50,
    );
  });
});
