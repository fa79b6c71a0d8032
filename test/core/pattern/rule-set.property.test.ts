/** Laws of a rule set: the index finds what trying every rule finds, also after changes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import {
  compileRules,
  matchesPattern,
  type Pattern,
  parsePattern,
} from "../../../src/core/pattern/index.ts";
import { event, meeting, pattern } from "./arbitraries.ts";
import { referenceMatches } from "./reference.ts";

/** Enough to catch a slip; `PATTERN_RUNS=20000` for a change of the index. */
const RUNS = Number(process.env.PATTERN_RUNS ?? 40);
/** Making a failing set of 200 rules smaller would else take minutes. */
const LIMITS = { numRuns: RUNS, interruptAfterTimeLimit: 1_000 * Math.max(20, RUNS) };

interface Given {
  readonly id: string;
  readonly written: Json;
  readonly pattern: Pattern;
}

/** Numbers found over all runs of a test, so that one which never matches cannot pass. */
interface Findings {
  rules: number;
  matched: number;
}

const sets = fc
  .tuple(
    fc.array(meeting, { minLength: 1, maxLength: 6 }),
    fc.oneof(
      { weight: 4, arbitrary: fc.array(pattern, { maxLength: 20 }) },
      { weight: 1, arbitrary: fc.array(pattern, { minLength: 100, maxLength: 194 }) },
    ),
    event,
  )
  .map(([meetings, others, stranger]) => ({
    patterns: [...meetings.map((one) => one.pattern), ...others],
    events: [...meetings.map((one) => one.event), stranger],
  }));

test("rules match together as each of them alone, in the given order", () => {
  const findings = { rules: 0, matched: 0 };
  fc.assert(
    fc.property(sets, ({ patterns, events }) => {
      const rules = legal(patterns);
      const ruleSet = compileRules(rules);
      for (const given of events) {
        expect(ruleSet.match(given)).toEqual(aloneIn(rules, given, findings));
      }
    }),
    LIMITS,
  );
  expectBothVerdicts(findings);
});

test("rules match together exactly when the plain reference says so of each", () => {
  fc.assert(
    fc.property(sets, ({ patterns, events }) => {
      const rules = legal(patterns);
      const ruleSet = compileRules(rules);
      for (const given of events.slice(0, 2)) {
        const expected = rules.filter(({ written }) => referenceMatches(written, given));
        expect(ruleSet.match(given)).toEqual(expected.map(({ id }) => id));
      }
    }),
    LIMITS,
  );
});

test("a set that has seen rules come, go and change is one compiled from what is left", () => {
  const changes = fc.array(fc.tuple(fc.nat(40), fc.option(pattern, { freq: 2 })), {
    maxLength: 80,
  });
  const findings = { rules: 0, matched: 0 };
  fc.assert(
    fc.property(sets, changes, ({ patterns, events }, steps) => {
      const rules = legal(patterns);
      const ruleSet = compileRules(rules);
      const left = new Map(rules.map((rule) => [rule.id, rule]));
      for (const [number, written] of steps) {
        const id = `rule-${number}`;
        const [changed] = written === null ? [] : legal([written]);
        if (changed) {
          ruleSet.set(id, changed.pattern);
          left.set(id, { ...changed, id });
        } else {
          expect(ruleSet.delete(id)).toBe(left.delete(id));
        }
      }
      for (const given of events) {
        expect(ruleSet.match(given)).toEqual(aloneIn([...left.values()], given, findings));
      }
      for (const id of left.keys()) ruleSet.delete(id);
      for (const given of events) expect(ruleSet.match(given)).toEqual([]);
    }),
    LIMITS,
  );
  expectBothVerdicts(findings);
});

test("one more rule changes the verdict of no other", () => {
  fc.assert(
    fc.property(sets, pattern, ({ patterns, events }, written) => {
      const rules = legal(patterns);
      const [added] = legal([written]);
      if (!added) return;
      const ruleSet = compileRules(rules);
      const before = events.map((given) => ruleSet.match(given));
      ruleSet.set("added", added.pattern);
      const after = events.map((given) => ruleSet.match(given).filter((id) => id !== "added"));
      expect(after).toEqual(before);
    }),
    LIMITS,
  );
});

test("the order of the rules is that of the answer and changes nothing else", () => {
  fc.assert(
    fc.property(sets, ({ patterns, events }) => {
      const rules = legal(patterns);
      const [forward, backward] = [compileRules(rules), compileRules(rules.toReversed())];
      for (const given of events) {
        expect(backward.match(given)).toEqual(forward.match(given).toReversed());
      }
    }),
    LIMITS,
  );
});

/** Short texts of few letters begin and end with each other; few numbers lie in many ranges. */
const word = fc.string({ unit: fc.constantFrom("a", "b", "A", "ß", "😀"), maxLength: 5 });
const wildcard = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join("*"));
const ignoreCase = (text: string) => ({ "equals-ignore-case": text });
const small = fc.integer({ min: -20, max: 20 });
const address = fc.tuple(fc.nat(3), fc.nat(3)).map((ends) => `10.0.${ends.join(".")}`);
const candidate: fc.Arbitrary<Json> = fc.oneof(
  word,
  small,
  word.map((text) => ({ prefix: text })),
  word.map((text) => ({ suffix: text })),
  word.map(ignoreCase),
  word.map((text) => ({ prefix: ignoreCase(text) })),
  word.map((text) => ({ suffix: ignoreCase(text) })),
  wildcard.map((text) => ({ wildcard: text.replaceAll("**", "*") })),
  wildcard.map((text) => ({ wildcard: ignoreCase(text.replaceAll("**", "*")) })),
  fc.tuple(small, fc.nat(9)).map(([low, size]) => ({ numeric: [">=", low, "<", low + size + 1] })),
  small.map((bound) => ({ numeric: ["<=", bound] })),
  fc.tuple(address, fc.integer({ min: 22, max: 32 })).map((range) => ({ cidr: range.join("/") })),
  word.map((text) => ({ "anything-but": text })),
);
const value: fc.Arbitrary<Json> = fc.oneof(word, word, small, address);
const crowd = fc.record({
  patterns: fc.array(
    fc.oneof(
      candidate.map((one) => ({ a: [one] })),
      fc.tuple(candidate, candidate).map(([one, other]) => ({ a: [one], b: [other] })),
    ),
    { minLength: 100, maxLength: 200 },
  ),
  removed: fc.uniqueArray(fc.nat(199), { maxLength: 120 }),
  events: fc.array(fc.record({ a: fc.oneof(value, fc.array(value, { maxLength: 3 })), b: value }), {
    minLength: 20,
    maxLength: 20,
  }),
});

test("rules that crowd two fields match as each alone, and so do those left over", () => {
  const findings = { rules: 0, matched: 0 };
  fc.assert(
    fc.property(crowd, ({ patterns, removed, events }) => {
      const rules = legal(patterns);
      const ruleSet = compileRules(rules);
      const expectAll = (expected: readonly Given[]) => {
        for (const given of events) {
          expect(ruleSet.match(given)).toEqual(aloneIn(expected, given, findings));
        }
      };
      expectAll(rules);
      const ids = new Set(removed.map((number) => `rule-${number}`));
      for (const id of ids) ruleSet.delete(id);
      expectAll(rules.filter(({ id }) => !ids.has(id)));
    }),
    LIMITS,
  );
  expectBothVerdicts(findings);
});

function legal(patterns: readonly Json[]): readonly Given[] {
  return patterns.flatMap((written, index) => {
    const parsed = parsePattern(written);
    return parsed.ok ? [{ id: `rule-${index}`, written, pattern: parsed.pattern }] : [];
  });
}

function aloneIn(rules: readonly Given[], given: Json, findings: Findings): readonly string[] {
  const matching = rules.filter((rule) => matchesPattern(rule.pattern, given));
  findings.rules += rules.length;
  findings.matched += matching.length;
  return matching.map(({ id }) => id);
}

function expectBothVerdicts({ rules, matched }: Findings): void {
  expect(matched).toBeGreaterThan(rules / 50);
  expect(matched).toBeLessThan(rules / 2);
}
