/** The crash run of sagas in its short form. */
import { expect, inject, it } from "vitest";
import { crashSagas } from "./crash.ts";
import { sagaClosingLine, sagaReport } from "./report.ts";

/** A start and a drain, on a machine with much else to do. */
const TIMEOUT_MS = 240_000;

it("killed again and again, every saga ends whole or undone, no effect comes twice and nobody helps", {
  timeout: TIMEOUT_MS,
}, async ({ annotate }) => {
  const options = { seed: 3, instances: 30, kills: 4 };
  const outcome = await crashSagas(options, inject("buildDirectory"), () => {});
  await annotate(sagaClosingLine(outcome));
  expect(outcome.failures, sagaReport(outcome, new Date())).toEqual([]);
  const { completed, compensated } = outcome.verdict;
  expect(completed + compensated).toBe(30);
  expect(compensated).toBeGreaterThan(3);
  expect(outcome.backMs).toHaveLength(4);
  const { dropped, late, answersLost, known } = outcome.weather;
  expect(Math.min(dropped, late, answersLost, known)).toBeGreaterThan(0);
});
