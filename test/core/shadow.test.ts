/** Counts of shadow rules: told in parts, in any order, they add up to what one would have counted. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { addMatches, type ShadowMatches } from "../../src/core/shadow.ts";

const told = fc.record({
  rule: fc.constantFrom("a", "b", "__proto__"),
  version: fc.integer({ min: 1, max: 4 }),
  matched: fc.integer({ min: 1, max: 9 }),
  lastMatchedAtMs: fc.integer({ min: 1, max: 1_000 }),
});

const added = (parts: readonly ShadowMatches[]) => {
  const counts = new Map<string, ShadowMatches>();
  for (const part of parts) addMatches(counts, part);
  return counts;
};

test("of each rule the newest version's matches are added up, whoever tells them when", () => {
  fc.assert(
    fc.property(fc.array(told, { maxLength: 12 }), (parts) => {
      const counts = added(parts);
      const rules = new Set(parts.map(({ rule }) => rule));
      expect(new Set(counts.keys())).toEqual(rules);
      for (const rule of rules) {
        const own = parts.filter((part) => part.rule === rule);
        const version = Math.max(...own.map((part) => part.version));
        const newest = own.filter((part) => part.version === version);
        expect(counts.get(rule)).toEqual({
          rule,
          version,
          matched: newest.reduce((sum, { matched }) => sum + matched, 0),
          lastMatchedAtMs: Math.max(...newest.map((part) => part.lastMatchedAtMs)),
        });
      }
      expect(added(parts.toReversed())).toEqual(new Map(counts));
    }),
  );
});

test("what an older version matched is not taken, and leaves the newer's count as it is", () => {
  const counts = new Map<string, ShadowMatches>();
  const of = (version: number) => ({ rule: "a", version, matched: 1, lastMatchedAtMs: version });
  expect([2, 1, 2, 3].map((version) => addMatches(counts, of(version)))).toEqual([
    ...[true, false, true, true],
  ]);
  expect(counts.get("a")).toEqual(of(3));
});
