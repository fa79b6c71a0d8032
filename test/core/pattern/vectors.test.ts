/** The recorded cases: what EventBridge decides, and where this project decides otherwise. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isJsonObject, parseJson, parseJsonDocument } from "../../../src/core/json.ts";
import { matchesPattern, parsePattern } from "../../../src/core/pattern/index.ts";

interface Vector {
  readonly id: number;
  readonly group: string;
  readonly pattern: string;
  readonly event: string;
  readonly want: boolean | "error";
}

const file = new URL("../../vectors/patterns.ndjson", import.meta.url);
const vectors: Vector[] = readFileSync(file, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

describe.each([...new Set(vectors.map(({ group }) => group))])("vectors of %s", (group) => {
  const cases = vectors.filter((vector) => vector.group === group);

  test.each(cases)("$id: $pattern on $event is $want", ({ pattern, event, want }) => {
    expect(decide(pattern, event)).toBe(want);
  });
});

test("all recorded cases are there", () => {
  expect(vectors.length).toBe(251);
});

function decide(patternText: string, eventText: string): boolean | "error" {
  const document = parseJsonDocument(patternText);
  const event = parseJson(eventText, { depthMax: 100 });
  if (!document.ok || !event.ok || !isJsonObject(event.value)) return "error";
  const parsed = parsePattern(document.value, document.duplicates);
  return parsed.ok ? matchesPattern(parsed.pattern, event.value) : "error";
}
