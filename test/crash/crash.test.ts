/** The crash run in its short form: a minute of kills, and an account of every event. */
import { expect, inject, it } from "vitest";
import { CONNECTIONS_MAX, SETTLE_GROUP_MAX } from "../../src/core/limits.ts";
import { PRIORITIES } from "../../src/core/priority.ts";
import { crash } from "./crash.ts";
import { closingLine, report } from "./report.ts";

/**
 * What one kill may repeat: a settle group of each of the three queues, and what is under way. The average
 * is far lower, and `npm run crash` holds it to 2; eight kills on a strained machine have no average.
 */
const LIMITS = { repeatsPerKillMax: PRIORITIES.length * (SETTLE_GROUP_MAX + CONNECTIONS_MAX) };
/** Starts, and a drain that may take two minutes, on a machine with much else to do. */
const TIMEOUT_MS = 480_000;

it("killed again and again, the router loses, damages and invents nothing", {
  timeout: TIMEOUT_MS,
}, async ({ annotate }) => {
  const options = { seed: 7, events: 1_000, seconds: 40, kills: 8, pauses: 3 };
  const outcome = await crash(options, LIMITS, inject("buildDirectory"), () => {});
  await annotate(closingLine(outcome));
  expect(outcome.failures, report(outcome, new Date())).toEqual([]);
  expect(outcome.inflicted.map(({ kind }) => kind).toSorted()).toEqual([
    ...Array.from({ length: 6 }, () => "engine"),
    ...Array.from({ length: 2 }, () => "group"),
    ...Array.from({ length: 3 }, () => "pause"),
  ]);
  expect(outcome.verdict.accepted).toBe(1_000);
  // Some were sent twice on purpose, others because their sender did not hear the answer.
  expect(outcome.copies.suppressed).toBeGreaterThan(30);
});
