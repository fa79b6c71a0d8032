/** A pattern over events of the past: how it differs from another, and what it says of a day. */
import { describe, expect, test } from "vitest";
import { PREVIEW_SPAN_MS_MIN } from "../../src/core/archive-limits.ts";
import type { Json } from "../../src/core/json.ts";
import { type Pattern, parsePattern } from "../../src/core/pattern/index.ts";
import { emptyPreview, matchesPerDay, previewEvent } from "../../src/core/preview.ts";

function patternOf(pattern: Json): Pattern {
  const parsed = parsePattern(pattern);
  if (!parsed.ok) throw new Error("no pattern");
  return parsed.pattern;
}

const NEXT = patternOf({ n: [{ numeric: [">=", 2] }] });
const PRESENT = patternOf({ n: [{ numeric: ["<=", 2] }] });

function previewOf(present: Pattern | null, ...events: readonly [n: number, atMs: number][]) {
  const preview = emptyPreview();
  for (const [n, receivedAtMs] of events) {
    const seen = { id: `evt_${n}`, receivedAtMs, event: { n } };
    previewEvent(preview, { next: NEXT, present }, seen);
  }
  return preview;
}

describe("a preview", () => {
  test("counts what it saw, what matches now, and what only one of both patterns matches", () => {
    expect(previewOf(PRESENT, [3, 50], [2, 70], [1, 20])).toEqual({
      ...{ examined: 3, matched: ["evt_3", "evt_2"], fromMs: 20, toMs: 70 },
      present: { matched: 2, added: ["evt_3"], removed: ["evt_1"] },
    });
  });

  test("without a present pattern adds all that it matches, and removes nothing", () => {
    expect(previewOf(null, [3, 50], [1, 20]).present).toEqual({
      ...{ matched: 0, added: ["evt_3"], removed: [] },
    });
  });

  test("of nothing has seen nothing", () => {
    expect(previewOf(PRESENT)).toEqual(emptyPreview());
    expect(emptyPreview()).toMatchObject({ examined: 0, fromMs: null, toMs: null });
  });
});

describe("how many a day", () => {
  const DAY_MS = 86_400_000;
  const matched = ["a", "b", "c"];

  test.each([
    [0, DAY_MS, 3],
    [0, DAY_MS / 2, 6],
    [DAY_MS, 8 * DAY_MS, 0.429],
    [0, PREVIEW_SPAN_MS_MIN, 72],
  ])("from %i to %i is %f", (fromMs, nowMs, perDay) => {
    expect(matchesPerDay({ matched, fromMs }, nowMs)).toBe(perDay);
    expect(matchesPerDay({ matched: [], fromMs }, nowMs)).toBe(0);
  });

  test("is not said of a span that is too short, of one that ends before it begins, and of none", () => {
    expect(matchesPerDay({ matched, fromMs: 0 }, PREVIEW_SPAN_MS_MIN - 1)).toBeNull();
    expect(matchesPerDay({ matched, fromMs: DAY_MS }, 0)).toBeNull();
    expect(matchesPerDay({ matched: [], fromMs: null }, DAY_MS)).toBeNull();
  });
});
