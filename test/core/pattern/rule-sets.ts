/** Rule sets and events that meet: some rules are made for an event, most are strangers to it. */
import fc from "fast-check";
import type { Json } from "../../../src/core/json.ts";
import { type Pattern, parsePattern } from "../../../src/core/pattern/index.ts";
import { event, meeting, pattern } from "./arbitraries.ts";

export interface RuleSets {
  readonly patterns: readonly Json[];
  readonly events: readonly Json[];
}

/** Of `crowdedOf` sets one has 100 to 200 rules, the others a few. */
export const ruleSets = (fewMax: number, crowdedOf: number): fc.Arbitrary<RuleSets> =>
  fc
    .tuple(
      fc.array(meeting, { minLength: 1, maxLength: 6 }),
      fc.oneof(
        { weight: crowdedOf - 1, arbitrary: fc.array(pattern, { maxLength: fewMax }) },
        { weight: 1, arbitrary: fc.array(pattern, { minLength: 100, maxLength: 194 }) },
      ),
      event,
    )
    .map(([meetings, others, stranger]) => ({
      patterns: [...meetings.map((one) => one.pattern), ...others],
      events: [...meetings.map((one) => one.event), stranger],
    }));

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
/** Two fields that all rules crowd, rules to remove by number, and events. */
export const crowd = fc.record({
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

export interface LegalRule {
  readonly id: string;
  readonly written: Json;
  readonly pattern: Pattern;
}

/** Those that are patterns; the generators make some that are not. */
export function legal(patterns: readonly Json[]): readonly LegalRule[] {
  return patterns.flatMap((written, index) => {
    const parsed = parsePattern(written);
    return parsed.ok ? [{ id: `rule-${index}`, written, pattern: parsed.pattern }] : [];
  });
}
