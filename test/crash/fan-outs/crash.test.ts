/** The crash run of a fan-out in its short form. */
import { expect, inject, it } from "vitest";
import { crashFanOut } from "./crash.ts";
import { refusedOf } from "./plan.ts";
import { fanOutClosingLine, fanOutReport } from "./report.ts";

/** A start and a drain, on a machine with much else to do. */
const TIMEOUT_MS = 240_000;

it("killed half way, a fan-out misses no element and retries the failed ones alone", {
  timeout: TIMEOUT_MS,
}, async ({ annotate }) => {
  const options = { seed: 5, elements: 800, kills: 1 };
  const outcome = await crashFanOut(options, inject("buildDirectory"), () => {});
  await annotate(fanOutClosingLine(outcome));
  expect(outcome.failures, fanOutReport(outcome, new Date())).toEqual([]);
  expect(outcome.verdict.arrived).toBe(800);
  expect(outcome.verdict.retried).toBe(refusedOf(options).length);
  expect(outcome.verdict.retried).toBeGreaterThan(10);
  expect(outcome.backMs).toHaveLength(1);
});
