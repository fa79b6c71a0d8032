/** Patterns and events from a small common stock, so that they meet, and meet at the edges. */
import fc from "fast-check";
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonObject,
  parseJson,
} from "../../../src/core/json.ts";

const LITERALS =
  "0 -0 1 1.0 1e0 -1 5 0.1 1e-1 0.1000000000000000055 9007199254740992 9007199254740993 " +
  "9007199254740992.0 1e400 10e399 -1e400 1e-400 5e-324";
const TEXTS =
  '|a|A|ab|AB|abc|b|aab|*|\\|a*b|"|1|5|true|null|ß|SS|ss|ſ|K|k|K|İ|i̇|ı|Σ|ς|σ|é|e\u0301|ǅ|😀|\ud800|?' +
  "|𐐀|𐐨|a\nb|a b|10.0.0.1|10.0.0.01|10.1.0.1|::1|0:0:0:0:0:0:0:1|::ffff:a00:1|::ffff:10.0.0.1";
const WILDCARDS = "*|a*|*b|a*b|*a*|*a*b|a\\*b|\\\\|*\\\\*|*ß*|ab|?*|𐐀*|*\n*";
const REGEXES = "a*|(?:a|b)+|[^a]*|.*ß.*|a.?b|\\d+|[A-Z]{1,2}|\\*|.|1|(?:10[.]){2}.*|é?a*b|😀";
const RANGES = "10.0.0.0/8|10.0.0.1/32|0.0.0.0/0|::/0|::1/128|::/127|::ffff:a00:0/24|10.0.0.0/+31";

export const literal = fc.constantFrom(...LITERALS.split(" "));
export const number = literal.map(read);
export const text = fc.constantFrom(...TEXTS.split("|"));
export const scalar: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 2, arbitrary: number },
  { weight: 1, arbitrary: fc.constantFrom<Json>(null, true, false) },
);

const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("a", "b") },
  { weight: 1, arbitrary: fc.constantFrom("c", "a.b", "a.a", "", "b.", "__proto__", "length") },
);

function objectOf(member: fc.Arbitrary<Json>, minLength = 0): fc.Arbitrary<Json> {
  return fc
    .uniqueArray(fc.tuple(key, member), { selector: ([name]) => name, minLength, maxLength: 3 })
    .map((members) => Object.fromEntries(members));
}

export const { event } = fc.letrec<{ event: Json; value: Json }>((tie) => ({
  event: objectOf(tie("value"), 1),
  value: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: objectOf(tie("value")) },
    { weight: 2, arbitrary: fc.array(tie("value"), { maxLength: 3 }) },
  ),
}));

const ignoreCase = text.map((wanted): Json => ({ "equals-ignore-case": wanted }));
const wildcard = fc.constantFrom(...WILDCARDS.split("|"));
const between = fc.constantFrom<Json>(
  [">", -1, "<", 1],
  [">=", 0, "<=", 0],
  [">", 0, "<=", 5],
  [">=", -5, "<", 9007199254740992],
);
const comparison = fc.tuple(fc.constantFrom("=", "<", "<=", ">", ">="), number);

function oneOrMore(values: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return fc.oneof(values, fc.array(values, { minLength: 1, maxLength: 2 }));
}

function operator(name: string, operand: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  return operand.map((value): Json => ({ [name]: value }));
}

const regex = fc.constantFrom(...REGEXES.split(/\|(?![^(]*\))/));

export const exclusion = fc.oneof(
  oneOrMore(text),
  oneOrMore(number),
  operator("prefix", oneOrMore(text)),
  operator("suffix", oneOrMore(text)),
  operator("equals-ignore-case", oneOrMore(text)),
  operator("wildcard", oneOrMore(wildcard)),
  operator("regex", oneOrMore(regex)),
);

export const test: fc.Arbitrary<Json> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  operator("exactly", text),
  operator("prefix", fc.oneof(text, ignoreCase)),
  operator("suffix", fc.oneof(text, ignoreCase)),
  operator("equals-ignore-case", text),
  operator("wildcard", fc.oneof(wildcard, operator("equals-ignore-case", wildcard))),
  operator("regex", regex),
  operator("numeric", fc.oneof(between, comparison)),
  operator("cidr", fc.constantFrom(...RANGES.split("|"))),
  operator("exists", fc.constant(true)),
  operator("anything-but", exclusion),
);

const candidate = fc.oneof(
  { weight: 6, arbitrary: test },
  { weight: 1, arbitrary: fc.constant<Json>({ exists: false }) },
);
const leaf = fc.oneof(
  { weight: 8, arbitrary: fc.array(candidate, { minLength: 1, maxLength: 3 }) },
  {
    weight: 1,
    arbitrary: operator("all-of", fc.array(test, { minLength: 1, maxLength: 2 })).map((all) => [
      all,
    ]),
  },
);

const DEPTH = { depthSize: "small", maxDepth: 3, depthIdentifier: "pattern" } as const;

/** `$or` stands at every level. Not all are legal: some ranges hold no number, some keys are reserved. */
const { written } = fc.letrec<{ written: Json; inner: Json; branches: Json }>((tie) => ({
  inner: fc.oneof(DEPTH, { weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: tie("written") }),
  branches: fc.oneof(
    DEPTH,
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.array(tie("written"), { minLength: 2, maxLength: 3 }) },
  ),
  written: fc
    .tuple(objectOf(tie("inner"), 1), tie("branches"), fc.boolean())
    .map(([fields, branches, alone]): Json => {
      if (branches === null) return fields;
      return alone ? { $or: branches } : { ...(fields as JsonObject), $or: branches };
    }),
}));

export const pattern = written.map((one) => apart(one as JsonObject, [], new Set()) ?? one);

/** What names a place that has to hold already is left out: beside a `$or`, or in two of them. */
function apart(
  { $or: branches, ...members }: JsonObject,
  above: readonly string[],
  claimed: Set<string>,
): JsonObject | undefined {
  const kept: [string, Json][] = [];
  for (const [name, inner] of Object.entries(members)) {
    const path = [...above, name];
    if (isJsonObject(inner)) {
      const left = apart(inner, path, claimed);
      if (left !== undefined) kept.push([name, left]);
    } else if (!claimed.has(path.join("."))) {
      claimed.add(path.join("."));
      kept.push([name, inner]);
    }
  }
  if (isJsonArray(branches)) {
    const sets = branches.map(() => new Set(claimed));
    const choice = branches.flatMap((branch, at) => {
      const left = apart(branch as JsonObject, above, sets[at] ?? new Set());
      return left === undefined ? [] : [left];
    });
    if (choice.length > 1) kept.push(["$or", choice]);
    for (const path of sets.flatMap((set) => [...set])) claimed.add(path);
  }
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

/** Some scalars of the event are replaced by what the pattern mentions: matches are not rare. */
export const meeting = fc
  .tuple(pattern, event, fc.array(fc.nat(20), { minLength: 12, maxLength: 12 }))
  .map(([wanted, original, picks]) => {
    const mentioned = scalarsIn(wanted);
    let at = 0;
    const mix = (value: Json): Json => {
      if (isJsonArray(value)) return value.map(mix);
      if (isJsonObject(value)) {
        return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mix(inner)]));
      }
      return mentioned[picks[at++ % picks.length] ?? 0] ?? value;
    };
    return { pattern: wanted, event: mix(original) };
  });

function scalarsIn(value: Json): readonly Json[] {
  if (isJsonArray(value)) return value.flatMap(scalarsIn);
  if (isJsonObject(value)) return Object.values(value).flatMap(scalarsIn);
  return [value];
}

/** The generators above only make legal literals. */
function read(text: string): Json {
  const parsed = parseJson(text, { depthMax: 0 });
  return parsed.ok ? parsed.value : null;
}
