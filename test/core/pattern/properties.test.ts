/** Laws of the language, over generated patterns and events. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isJsonArray, isJsonObject, type Json } from "../../../src/core/json.ts";
import { explainPattern } from "../../../src/core/pattern/explain.ts";
import {
  compileRules,
  matchesPattern,
  type Pattern,
  parsePattern,
} from "../../../src/core/pattern/index.ts";
import { event, exclusion, meeting, pattern, scalar, test as valueTest } from "./arbitraries.ts";
import { referenceMatches } from "./reference.ts";

const RUNS = { numRuns: 1_500 };

describe("a pattern and an event", () => {
  test("match exactly when the plain reference says so", () => {
    let matched = 0;
    let legal = 0;
    fc.assert(
      fc.property(meeting, ({ pattern: wanted, event: given }) => {
        const parsed = legalPattern(wanted);
        if (!parsed) return;
        const expected = referenceMatches(wanted, given);
        legal += 1;
        if (expected) matched += 1;
        expect(matchesPattern(parsed, given)).toBe(expected);
      }),
      RUNS,
    );
    // A generator whose patterns are all illegal, or never match, would prove nothing.
    expect(legal).toBeGreaterThan(RUNS.numRuns / 2);
    expect(matched).toBeGreaterThan(legal / 20);
  });

  test("are explained without a fault exactly when they match", () => {
    fc.assert(
      fc.property(meeting, ({ pattern: wanted, event: given }) => {
        const parsed = legalPattern(wanted);
        if (!parsed) return;
        const verdicts = explainPattern(parsed, given);
        expect(verdicts.length).toBeGreaterThan(0);
        expect(verdicts.every(({ ok }) => ok)).toBe(matchesPattern(parsed, given));
      }),
      RUNS,
    );
  });

  test("match the same whatever the order of keys and candidates", () => {
    fc.assert(
      fc.property(meeting, ({ pattern: wanted, event: given }) => {
        const [parsed, turned] = [legalPattern(wanted), legalPattern(reversed(wanted))];
        expect(turned === undefined).toBe(parsed === undefined);
        if (!parsed || !turned) return;
        const expected = matchesPattern(parsed, given);
        expect(matchesPattern(turned, given)).toBe(expected);
        expect(matchesPattern(parsed, withKeysReversed(given))).toBe(expected);
      }),
      RUNS,
    );
  });
});

describe("candidates", () => {
  test("of anything-but fit exactly the values that are there and not excluded", () => {
    fc.assert(
      fc.property(exclusion, scalar, (excluded, value) => {
        const negated = legalPattern({ a: [{ "anything-but": excluded }] });
        const plain = legalPattern({ a: plainForm(excluded) });
        if (!negated || !plain) return;
        const given = { a: value };
        expect(matchesPattern(negated, given)).toBe(!matchesPattern(plain, given));
        expect(matchesPattern(negated, {})).toBe(false);
        expect(matchesPattern(negated, { a: [] })).toBe(false);
      }),
    );
  });

  test("in one array are a choice, in all-of a demand", () => {
    const values = fc.array(scalar, { maxLength: 4 });
    fc.assert(
      fc.property(valueTest, valueTest, values, (left, right, list) => {
        const given = { a: list };
        const fits = (candidates: Json) => {
          const parsed = legalPattern({ a: candidates });
          return parsed && matchesPattern(parsed, given);
        };
        const alone = [fits([left]), fits([right])];
        if (alone.includes(undefined)) return;
        expect(fits([left, right])).toBe(alone.includes(true));
        expect(fits([{ "all-of": [left, right] }])).toBe(!alone.includes(false));
      }),
    );
  });

  test("refuse the absence that exists: true demands, and the other way round", () => {
    fc.assert(
      fc.property(event, (given) => {
        const [there, missing] = [true, false].map((exists) => legalPattern({ a: [{ exists }] }));
        if (!there || !missing) throw new Error("both are legal");
        expect(matchesPattern(there, given)).toBe(!matchesPattern(missing, given));
      }),
    );
  });
});

test("rules match together as each of them alone, in the given order", () => {
  const rules = fc.array(pattern, { maxLength: 5 });
  fc.assert(
    fc.property(rules, event, (patterns, given) => {
      const legal = patterns.flatMap((wanted, index) => {
        const parsed = legalPattern(wanted);
        return parsed ? [{ id: `rule-${index}`, pattern: parsed }] : [];
      });
      const alone = legal.filter((rule) => matchesPattern(rule.pattern, given));
      expect(compileRules(legal).match(given)).toEqual(alone.map(({ id }) => id));
    }),
  );
});

function legalPattern(value: Json): Pattern | undefined {
  const parsed = parsePattern(value);
  return parsed.ok ? parsed.pattern : undefined;
}

/** What anything-but excludes, as candidates that fit it. */
function plainForm(excluded: Json): Json {
  const [inner] = isJsonObject(excluded) ? Object.entries(excluded) : [];
  const operand = inner ? inner[1] : excluded;
  const list = isJsonArray(operand) ? operand : [operand];
  return inner ? list.map((one) => ({ [inner[0]]: one })) : list;
}

/** The order of candidates and branches says nothing; that of a numeric range does. */
function reversed(value: Json): Json {
  if (isJsonObject(value) && value.numeric) return value;
  if (isJsonArray(value)) return value.map(reversed).toReversed();
  if (!isJsonObject(value)) return value;
  const members = Object.entries(value).map(([key, inner]) => [key, reversed(inner)] as const);
  return Object.fromEntries(members.toReversed());
}

function withKeysReversed(value: Json): Json {
  if (isJsonArray(value)) return value.map(withKeysReversed);
  if (!isJsonObject(value)) return value;
  const members = Object.entries(value).map(
    ([key, inner]) => [key, withKeysReversed(inner)] as const,
  );
  return Object.fromEntries(members.toReversed());
}
