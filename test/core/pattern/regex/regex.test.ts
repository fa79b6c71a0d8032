/** Regular expressions: JavaScript's own decide what matches, and nothing goes back or grows without a bound. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../../src/core/json.ts";
import { explainPattern } from "../../../../src/core/pattern/explain.ts";
import { compileRules, matchesPattern, parsePattern } from "../../../../src/core/pattern/index.ts";
import {
  REGEX_CELLS_MAX,
  REGEX_CHARACTERS_MAX,
  REGEX_TEXT_MAX,
} from "../../../../src/core/pattern/limits.ts";
import { fitsRegex, readRegexTest } from "../../../../src/core/pattern/regex/regex.ts";

function fits(source: string, text: string): boolean {
  const reading = readRegexTest(source);
  if (!reading.ok) throw new Error(`${source}: ${reading.detail}`);
  return fitsRegex(reading.regex, text);
}

const faultOf = (source: string): string => {
  const reading = readRegexTest(source);
  return reading.ok ? "none" : reading.detail;
};

/** Written as ECMAScript writes them. */
const atom = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "A", "1", "-", "é", "😀", " ") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...[".", "\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "[a-c]", "[^a]", "[\\d_-]", "[^\\s\\d]"],
      ...[
        "[-a]",
        "[a-]",
        "\\.",
        "\\\\",
        "\\u0061",
        "\\u{1F600}",
        "\\x62",
        "[😀-😎]",
        "\\n",
        "[^]a]",
      ],
    ),
  },
);
const { expression } = fc.letrec<{ expression: string; piece: string }>((tie) => ({
  piece: fc
    .tuple(
      fc.oneof(
        { maxDepth: 3 },
        { weight: 4, arbitrary: atom },
        { weight: 1, arbitrary: tie("expression").map((inner) => `(${inner})`) },
        { weight: 1, arbitrary: tie("expression").map((inner) => `(?:${inner})`) },
      ),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant("") },
        {
          weight: 3,
          arbitrary: fc.constantFrom("*", "+", "?", "*?", "+?", "{2}", "{1,}", "{0,3}"),
        },
      ),
    )
    .map((parts) => parts.join("")),
  expression: fc
    .array(
      fc.array(tie("piece"), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join("")),
      { minLength: 1, maxLength: 2 },
    )
    .map((branches) => branches.join("|")),
}));
const character = fc.constantFrom(..."abcA1-é😀 .\\\n_]", "\ud800", "\udc00", "z");
const text = fc.array(character, { maxLength: 8 }).map((characters) => characters.join(""));

describe("an expression", () => {
  it("matches what JavaScript's own matches from end to end", () => {
    let matched = 0;
    fc.assert(
      fc.property(expression, fc.array(text, { minLength: 5, maxLength: 10 }), (source, texts) => {
        fc.pre(!source.includes("[^]a]"));
        const reading = readRegexTest(source);
        fc.pre(reading.ok);
        if (!reading.ok) return;
        const own = new RegExp(`^(?:${source})$`, "su");
        for (const each of texts) {
          const expected = own.test(each);
          if (expected) matched += 1;
          expect(fitsRegex(reading.regex, each), `${source} on ${JSON.stringify(each)}`).toBe(
            expected,
          );
        }
      }),
      { numRuns: 1_500 },
    );
    expect(matched).toBeGreaterThan(200);
  }, 60_000);

  it.each([
    ["order-\\d{4}", "order-2026", true],
    ["order-\\d{4}", "order-20261", false],
    ["^order-.*$", "order-\n1", true],
    [".*paid.*", "it is paid now", true],
    ["(?i)order-[a-f]+", "ORDER-aBc", true],
    ["(?i)straße", "STRASSE", false],
    ["a|bc|", "", true],
    ["\\$5\\.00", "$5.00", true],
    ["a\\$", "a$", true],
    ["[a-z]+@[a-z]+\\.(com|org)", "ada@example.org", true],
  ])("%s on %j: %s", (source, given, expected) => {
    expect(fits(source, given)).toBe(expected);
  });

  it("takes a lone half of a character as one, and never half of a whole one", () => {
    expect(fits(".", "\ud800")).toBe(true);
    expect(fits(".", "😀")).toBe(true);
    expect(fits("..", "😀")).toBe(false);
    expect(fits("[\\u{1F600}-\\u{1F64F}]+", "😀😃")).toBe(true);
  });

  it("is tried on a text of so many characters and no longer one", () => {
    expect(fits("a*", "a".repeat(REGEX_TEXT_MAX))).toBe(true);
    expect(fits("a*", "a".repeat(REGEX_TEXT_MAX + 1))).toBe(false);
  });

  it.each(["(a+)+b", "(a|a)*b", "(a*)*b", "(.*)*x", "(a|b|ab)*c", "([ab]*a[ab]*)*c"])(
    "that makes others go back for ever costs one step a character: %s",
    (source) => {
      const reading = readRegexTest(source);
      if (!reading.ok) throw new Error(reading.detail);
      const { automaton } = reading.regex;
      let steps = 0;
      const next = new Proxy(automaton.next, {
        get(table, name) {
          if (typeof name === "string" && /^\d+$/.test(name)) steps += 1;
          return Reflect.get(table, name, table);
        },
      });
      const given = "a".repeat(REGEX_TEXT_MAX);
      expect(fitsRegex({ ...reading.regex, automaton: { ...automaton, next } }, given)).toBe(false);
      expect(steps).toBeLessThanOrEqual(REGEX_TEXT_MAX);
    },
  );
});

describe("what is refused", () => {
  it.each([
    ["(a", /never closed/],
    ["a)", /closes nothing/],
    ["[a", /never closed/],
    ["a]", /closes nothing/],
    ["*a", /Nothing stands before/],
    ["a**", /Two repetitions|take no part back/],
    ["a{3,1}", /write \{1,3\}/],
    ["a{2000}", /above 1000/],
    ["a{x}", /A brace opens a count/],
    ["[z-a]", /write \[a-z\]/],
    ["[\\d-z]", /from one character to another/],
    ["[]", /matches nothing/],
    ["(a)\\1", /matched before/],
    ["(?=a)b", /Looking ahead or behind/],
    ["(?<!a)b", /Looking ahead or behind/],
    ["(?<name>a)", /no names/],
    ["a(?i)b", /at the very start/],
    ["\\bword", /word boundaries/],
    ["\\q", /no escape/],
    ["\\u12", /followed by its digits/],
    ["a^b", /at the ends only/],
    ["a\\", /backslash stands at the end/],
    ["[[:alpha:]]", /is not known/],
    ["x".repeat(REGEX_CHARACTERS_MAX + 1), /at most 1000 characters/],
    ["((a{30}){30}){30}", /more states/],
    ["(a|b)*a(a|b){16}", /more states/],
    ["(a?){300}", /more states/],
  ])("%s says why, and how it is said", (source, reason) => {
    expect(faultOf(source)).toMatch(reason);
  });

  it("costs little whatever is written", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab()[]{}|*+?.\\^$-,19wdsux") }),
        (source) => {
          const reading = readRegexTest(source);
          if (!reading.ok) return;
          expect(reading.regex.automaton.next.length).toBeLessThanOrEqual(REGEX_CELLS_MAX);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it("is refused at its place in the pattern, also inside anything-but", () => {
    const parsed = parsePattern({ a: [{ regex: "(" }], b: [{ "anything-but": { regex: "[" } }] });
    expect(parsed.ok ? [] : parsed.issues.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual(
      ["/a/0/regex regex", "/b/0/anything-but/regex regex"],
    );
  });
});

describe("in a pattern", () => {
  const patternOf = (written: Json) => {
    const parsed = parsePattern(written);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
    return parsed.pattern;
  };

  it("is one candidate among others, and what anything-but excludes", () => {
    const pattern = patternOf({
      a: ["x", { regex: "o-\\d+" }],
      b: [{ "anything-but": { regex: "t.*" } }],
    });
    expect(matchesPattern(pattern, { a: "o-12", b: "prod" })).toBe(true);
    expect(matchesPattern(pattern, { a: "x", b: 5 })).toBe(true);
    expect(matchesPattern(pattern, { a: "o-x", b: "prod" })).toBe(false);
    expect(matchesPattern(pattern, { a: "o-12", b: "test" })).toBe(false);
  });

  it("explains what does not match", () => {
    const [verdict] = explainPattern(patternOf({ a: [{ regex: "o-\\d+" }] }), { a: "o-x" });
    expect(verdict).toMatchObject({ ok: false, operator: "regex", expected: "o-\\d+" });
    expect(verdict?.reason).toBe(
      '"o-x" does not match, from end to end, the expression "o-\\\\d+"',
    );
  });

  it("is found by the index as by trying each rule", () => {
    const sources = fc.array(expression, { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(sources, fc.array(text, { minLength: 3, maxLength: 6 }), (written, texts) => {
        const rules = written.flatMap((source, at) => {
          const parsed = parsePattern({ a: [{ regex: source }] });
          return parsed.ok ? [{ id: `rule-${at}`, pattern: parsed.pattern }] : [];
        });
        const set = compileRules(rules);
        for (const a of texts) {
          const alone = rules.filter(({ pattern }) => matchesPattern(pattern, { a }));
          expect(set.match({ a })).toEqual(alone.map(({ id }) => id));
        }
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
