/** What each answer of a receiver means for its delivery. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Answer, outcomeOf, describe as say } from "../../../src/core/deliver/outcome.ts";
import type { RetryPolicy } from "../../../src/core/deliver/retry.ts";
import { response } from "../../support/memory-transport.ts";

const TWICE: RetryPolicy = { delaysSeconds: [5] };

const retrying = (error: string, delayMs = 5_000) => ({ state: "retrying", delayMs, error });

describe("an answer to the first attempt", () => {
  it.each([200, 201, 202, 204, 206, 226, 299])("%i means delivered", (status) => {
    expect(outcomeOf(response(status), 1, TWICE, 0)).toEqual({ state: "delivered" });
  });

  it.each([400, 401, 403, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, 599, 100, 199, 600])(
    "%i is tried again",
    (status) => {
      expect(outcomeOf(response(status), 1, TWICE, 0)).toEqual(retrying(`status ${status}`));
    },
  );

  it.each([300, 301, 302, 303, 304, 307, 308])("%i is not followed, and tried again", (status) => {
    expect(outcomeOf(response(status), 1, TWICE, 0)).toEqual(
      retrying(`status ${status}: redirects are not followed`),
    );
  });

  it("410 means that the target is gone, and nothing is tried again", () => {
    const error = "status 410: the receiver is gone; the target is disabled";
    expect(outcomeOf(response(410), 1, TWICE, 0)).toEqual({
      state: "dead",
      error,
      targetGone: true,
    });
  });

  it.each<[Answer, string]>([
    [{ kind: "timeout" }, "timeout: no complete answer in time"],
    [{ kind: "network", detail: "connection reset" }, "network: connection reset"],
  ])("%j is tried again", (answer, error) => {
    expect(outcomeOf(answer, 1, TWICE, 0)).toEqual(retrying(error));
  });

  it("that never came because the address is refused is not tried again", () => {
    const answer: Answer = { kind: "refused", detail: "the name is not public" };
    expect(outcomeOf(answer, 1, TWICE, 0)).toEqual({
      state: "dead",
      error: "refused: the name is not public",
      targetGone: false,
    });
  });

  it.each([429, 503, 500])("%i is tried again when its Retry-After says so", (status) => {
    const outcome = outcomeOf(response(status, 60_000), 1, TWICE, 0);
    expect(outcome).toEqual(retrying(`status ${status}`, 60_000));
  });
});

describe("an answer to the last attempt", () => {
  it.each<[Answer, string]>([
    [response(500), "status 500; attempts exhausted"],
    [response(503, 1_000), "status 503; attempts exhausted"],
    [response(302), "status 302: redirects are not followed; attempts exhausted"],
    [{ kind: "timeout" }, "timeout: no complete answer in time; attempts exhausted"],
    [{ kind: "network", detail: "no route" }, "network: no route; attempts exhausted"],
  ])("%j makes a dead letter", (answer, error) => {
    expect(outcomeOf(answer, 2, TWICE, 0)).toEqual({ state: "dead", error, targetGone: false });
  });

  it("2xx is delivered all the same", () => {
    expect(outcomeOf(response(204), 99, TWICE, 0)).toEqual({ state: "delivered" });
  });
});

describe("any answer", () => {
  const answer: fc.Arbitrary<Answer> = fc.oneof(
    fc.record({
      kind: fc.constant("response" as const),
      status: fc.integer({ min: 100, max: 999 }),
      retryAfterMs: fc.option(fc.nat()),
      body: fc.constant("SENSITIVE"),
    }),
    fc.constant({ kind: "timeout" } as const),
    fc.record({ kind: fc.constant("network" as const), detail: fc.string() }),
    fc.record({ kind: fc.constant("refused" as const), detail: fc.string() }),
  );

  it("ends within the policy's attempts", () => {
    fc.assert(
      fc.property(
        answer,
        fc.integer({ min: 2, max: 50 }),
        fc.double({ min: 0, max: 0.99 }),
        (each, made, chance) => {
          expect(outcomeOf(each, made, TWICE, chance).state).not.toBe("retrying");
        },
      ),
    );
  });

  it("is told in words that hold nothing of its body", () => {
    fc.assert(fc.property(answer, (each) => !say(each).includes("SENSITIVE")));
  });
});
