/** Laws of a rule set: the index finds what trying every rule finds, also after changes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Json } from "../../../src/core/json.ts";
import { compileRules, matchesPattern } from "../../../src/core/pattern/index.ts";
import { pattern } from "./arbitraries.ts";
import { referenceMatches } from "./reference.ts";
import { crowd, type LegalRule, legal, ruleSets } from "./rule-sets.ts";

/** Enough to catch a slip; `PATTERN_RUNS=20000` for a change of the index. */
const RUNS = Number(process.env.PATTERN_RUNS ?? 40);
/** Making a failing set of 200 rules smaller would else take minutes. */
const LIMITS = { numRuns: RUNS, interruptAfterTimeLimit: 1_000 * Math.max(20, RUNS) };

/** Numbers found over all runs of a test, so that one which never matches cannot pass. */
interface Findings {
  rules: number;
  matched: number;
}

const sets = ruleSets(20, 5);

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

test("rules that crowd two fields match as each alone, and so do those left over", () => {
  const findings = { rules: 0, matched: 0 };
  fc.assert(
    fc.property(crowd, ({ patterns, removed, events }) => {
      const rules = legal(patterns);
      const ruleSet = compileRules(rules);
      const expectAll = (expected: readonly LegalRule[]) => {
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

function aloneIn(rules: readonly LegalRule[], given: Json, findings: Findings): readonly string[] {
  const matching = rules.filter((rule) => matchesPattern(rule.pattern, given));
  findings.rules += rules.length;
  findings.matched += matching.length;
  return matching.map(({ id }) => id);
}

function expectBothVerdicts({ rules, matched }: Findings): void {
  expect(matched).toBeGreaterThan(rules / 50);
  expect(matched).toBeLessThan(rules / 2);
}
