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

/** Rules that agree in two fields or three, so that they wait for a second value and for a third. */
const few = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Json>("a", "b", 0) },
  { weight: 1, arbitrary: fc.constantFrom<Json>({ prefix: "a" }, { numeric: ["<", 1] }) },
);
const oneOf = few.map((one) => [one]);
const four = fc.record({ a: oneOf, b: oneOf, c: oneOf, d: oneOf });
const orOfThree = four.map(({ a, b, c, d }) => ({
  a,
  $or: [
    { b, c },
    { c, d },
  ],
}));
export const deepCrowd: fc.Arbitrary<RuleSets> = fc.record({
  patterns: fc.array(
    fc.oneof(
      { weight: 3, arbitrary: four },
      { weight: 2, arbitrary: orOfThree },
      { weight: 1, arbitrary: orOfThree.map((inElement) => ({ list: inElement })) },
    ),
    { minLength: 60, maxLength: 120 },
  ),
  events: fc.array(
    fc.oneof(valuesAt(["a", "b", "c", "d"]), fc.record({ list: elementsOf(["a", "b", "c", "d"]) })),
    { minLength: 6, maxLength: 6 },
  ),
});

const letter = fc.constantFrom<Json>("a", "b");
const wanted = fc.oneof(
  { weight: 5, arbitrary: letter.map((one) => [one]) },
  { weight: 1, arbitrary: fc.constant<Json>([{ exists: false }]) },
);
const item = fc.record({ c: letter, d: letter }, { requiredKeys: [] });
const list = fc.array(
  fc.record({ c: letter, d: letter, e: fc.array(item, { maxLength: 2 }) }, { requiredKeys: [] }),
  { maxLength: 2 },
);

/** Events that spell one place in two ways, with an array at each, and values at several depths of them. */
export const twoSpellings: fc.Arbitrary<RuleSets> = fc.record({
  patterns: fc.array(
    fc.record({
      a: fc.record({
        b: fc.record(
          { c: wanted, d: wanted, e: fc.record({ c: wanted, d: wanted }, { requiredKeys: ["c"] }) },
          { requiredKeys: ["c"] },
        ),
      }),
    }),
    { minLength: 8, maxLength: 24 },
  ),
  events: fc.array(
    fc.record({
      "a.b": fc.oneof(list, item),
      a: fc.record({ b: fc.oneof(list, item) }, { requiredKeys: [] }),
    }),
    { minLength: 6, maxLength: 6 },
  ),
});

/** How the 32 alternatives that are permitted come about: so many branches, times so many, and so on. */
const FULL = [[32], [8, 4], [4, 4, 2], [2, 2, 2, 2, 2]];

/** Choices up to the cap beside each other, and one in the other, above arrays of objects too. */
export const fullChoices: fc.Arbitrary<RuleSets> = fc
  .tuple(fc.constantFrom(...FULL), fc.boolean(), fc.infiniteStream(fc.nat(7)))
  .map(([factors, inOneAnother, picks]) => {
    const keys = factors.map((_, at) => `k${at}`);
    const value = (): Json => (picks.next().value ?? 0) % 4;
    const branch = (at: number): Record<string, Json> => ({
      [at % 2 === 0 ? "a" : "b"]: [at < 4 ? value() : at],
    });
    const choiceOf = (branches: number): Json => ({
      $or: Array.from({ length: branches }, (_, at) => branch(at)),
    });
    const beside = Object.fromEntries(keys.map((key, at) => [key, choiceOf(factors[at] ?? 2)]));
    const wanted = inOneAnother ? deepChoice(9, branch) : beside;
    const object = (): Json => ({ a: value(), b: [value(), value()] });
    const event = (): Json => Object.fromEntries(keys.map((key) => [key, object()]));
    return {
      patterns: [wanted, { list: wanted }],
      events: [
        { ...(event() as object), a: value(), b: value() },
        { list: [event(), object(), event()] },
        { list: [{ ...(event() as object), a: value() }, { k0: [object(), object()] }] },
      ],
    };
  });

/** Each level has a field of its own beside the choice that holds the next. */
function deepChoice(levels: number, branch: (at: number) => Record<string, Json>): Json {
  if (levels === 0) return branch(0);
  const next = deepChoice(levels - 1, branch) as Record<string, Json>;
  return { $or: [branch(levels), { [`k${levels}`]: branch(levels), ...next }] };
}

function valuesAt(keys: readonly string[]): fc.Arbitrary<Json> {
  const value = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<Json>("a", "b", 0) },
    { weight: 1, arbitrary: fc.constantFrom<Json>(["a", 0], ["b", "a"], 1, null) },
  );
  return fc.record(Object.fromEntries(keys.map((key) => [key, value])));
}

function elementsOf(keys: readonly string[]): fc.Arbitrary<Json> {
  return fc.array(valuesAt(keys), { minLength: 1, maxLength: 3 });
}

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
