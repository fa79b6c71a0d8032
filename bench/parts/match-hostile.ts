/** Events and patterns that are built to be expensive, against 1,000 rules that look at what they bring. */
import type { Json, JsonObject } from "../../src/core/json.ts";
import { compileRules, parsePattern } from "../../src/core/pattern/index.ts";
import { PATTERN_ALTERNATIVES_MAX, PATTERN_DEPTH_MAX } from "../../src/core/pattern/limits.ts";
import { cpuMs } from "../measure/cpu.ts";
import { figure, table } from "../measure/table.ts";
import type { Measured } from "./match-orders.ts";

const RULES = 1_000;
const MS_MAX = 5;

interface Hostile {
  readonly name: string;
  readonly event: Json;
  pattern(at: number): Json;
}

const list = (length: number, make: (at: number) => Json): Json[] =>
  Array.from({ length }, (_, at) => make(at));

const nested = (depth: number): Json => {
  let value: Json = { leaf: 1 };
  for (let at = 0; at < depth; at += 1) value = { a: value };
  return value;
};

/** A pattern of `$or` in `$or`. */
const orInOr = (depth: number, at: number): Json => {
  let value: Json = nearly(at);
  for (let deep = 0; deep < depth; deep += 1) value = { $or: [value, nearly(at + deep + 1)] };
  return value;
};

const ELEMENTS = 300;
/** Objects of which each has what the other wants. */
const elements = (length = ELEMENTS): Json[] => list(length, (at) => ({ x: at, y: at, z: 0 }));
/** Each of the two is found, and never in one element. */
const nearly = (at: number): JsonObject => ({ x: [at % ELEMENTS], y: [(at + 1) % ELEMENTS] });
const found = (at: number): JsonObject => ({ x: [at % ELEMENTS], y: [at % ELEMENTS] });
/** Branches of a rule, no two of which are alike. */
const branches = (count: number, at: number, make = nearly): Json =>
  list(count, (turn) => make(at * 7 + turn));
/** As many branches in each of several choices as spell out the most alternatives together. */
const BESIDE = Math.floor(Math.cbrt(PATTERN_ALTERNATIVES_MAX));
/** Each `$or` is two levels of the pattern, the object in it a third. */
const DEEPEST = Math.min(PATTERN_ALTERNATIVES_MAX - 1, Math.floor((PATTERN_DEPTH_MAX - 2) / 2));

const CASES: readonly Hostile[] = [
  {
    name: "6 KB, three arrays of 300 elements",
    event: {
      a: list(300, (at) => ({ k: at })),
      b: list(300, (at) => ({ k: at })),
      c: list(300, (at) => ({ k: at })),
    },
    pattern: (at) => ({
      ...{ a: { k: [at % 300] }, b: { k: [(at + 1) % 300] }, c: { k: [-1 - at] } },
    }),
  },
  {
    name: "the same, all of one value",
    event: { a: list(300, () => ({ k: 1, j: 2 })), b: list(300, () => ({ k: 1, j: 2 })) },
    pattern: (at) => ({ a: { k: [1], j: [3 + at] }, b: { k: [1], j: [2] } }),
  },
  {
    name: "wildcards of 32 stars over 100 KB",
    event: { a: `${"a".repeat(100_000)}c` },
    pattern: (at) => ({ a: [{ wildcard: `${"*a".repeat(30)}*b${at}*c` }] }),
  },
  {
    name: "10,000 keys",
    event: Object.fromEntries(list(10_000, (at) => at).map((at) => [`key${at}`, at])),
    pattern: (at) => ({ [`key${at * 10}`]: [at], other: [{ exists: false }] }),
  },
  {
    name: "a string of 1 MB",
    event: { a: "ab".repeat(500_000) },
    pattern: (at) => ({ a: [at % 2 === 0 ? { suffix: `x${at}` } : { wildcard: `*ba${at}*` }] }),
  },
  {
    name: "64 levels deep",
    event: nested(62),
    pattern: (at) => nestedPattern(62, at),
  },
  {
    name: `$or in $or, ${DEEPEST} deep, of scalars`,
    event: { x: list(ELEMENTS, (at) => at), y: list(ELEMENTS, (at) => at), z: 0 },
    pattern: (at) => ({ z: [1], ...(orInOr(DEEPEST, at) as JsonObject) }),
  },
  {
    name: `$or in $or, ${DEEPEST} deep, in an array of ${ELEMENTS}`,
    event: { list: elements() },
    pattern: (at) => ({ list: { z: [0], ...(orInOr(DEEPEST - 1, at) as JsonObject) } }),
  },
  {
    name: `$or of ${PATTERN_ALTERNATIVES_MAX} in an array of ${ELEMENTS}`,
    event: { list: elements() },
    pattern: (at) => ({ list: { $or: branches(PATTERN_ALTERNATIVES_MAX, at) } }),
  },
  {
    name: `$or of ${PATTERN_ALTERNATIVES_MAX} above it`,
    event: { list: elements() },
    pattern: (at) => ({
      list: { z: [0] },
      $or: list(PATTERN_ALTERNATIVES_MAX, (turn) => ({ list: nearly(at * 7 + turn) })),
    }),
  },
  {
    name: `${BESIDE} × ${BESIDE} × ${BESIDE} in three arrays of ${ELEMENTS}`,
    event: { a: elements(), b: elements(), c: elements() },
    pattern: (at) => ({
      a: { $or: branches(BESIDE, at, found) },
      b: { $or: branches(BESIDE, at, found) },
      c: { $or: branches(BESIDE, at) },
    }),
  },
  {
    name: `prefixes, $or of ${PATTERN_ALTERNATIVES_MAX} in an array of ${ELEMENTS}`,
    event: { list: list(ELEMENTS, (at) => ({ x: `${at}x`, y: `${at}y` })) },
    pattern: (at) => ({
      list: {
        $or: list(PATTERN_ALTERNATIVES_MAX, (turn) => ({
          x: [{ prefix: `${(at * 7 + turn) % ELEMENTS}x` }],
          y: [{ prefix: `${(at * 7 + turn + 150) % ELEMENTS}y` }],
        })),
      },
    }),
  },
  {
    name: `arrays in an array of ${ELEMENTS}`,
    event: {
      list: list(ELEMENTS, (at) => ({
        z: 0,
        items: [
          { x: at, y: -1 },
          { x: -1, y: at },
        ],
      })),
    },
    pattern: (at) => ({ list: { z: [0], items: found(at) } }),
  },
  {
    name: `what an array of ${ELEMENTS} must not have`,
    event: { list: elements() },
    pattern: (at) => ({ list: { x: [at % ELEMENTS], z: [{ exists: false }] } }),
  },
  {
    name: `elements of two forms, ${ELEMENTS}`,
    event: { list: [...elements(ELEMENTS - 1), [{ x: -1, y: -1 }]] },
    pattern: (at) => ({ list: nearly(at) }),
  },
];

function nestedPattern(depth: number, at: number): Json {
  let value: Json = { leaf: [at + 2] };
  for (let deep = 0; deep < depth; deep += 1) value = { a: value };
  return value;
}

/** Patterns that are refused before they cost anything. */
const REFUSED: readonly (readonly [string, Json])[] = [
  ["$or in $or, 100 deep", orInOr(100, 1)],
  [
    `${PATTERN_ALTERNATIVES_MAX + 1} branches of a $or`,
    { $or: branches(PATTERN_ALTERNATIVES_MAX + 1, 1) },
  ],
  ["a wildcard of 33 stars", { a: [{ wildcard: "*a".repeat(33) }] }],
  ["65 levels deep", nestedPattern(65, 1)],
  [
    "59,049 alternatives in 451 characters",
    Object.fromEntries(
      list(10, (at) => at).map((at) => [`k${at}`, { $or: [{ x: [1] }, { y: [1] }, { z: [1] }] }]),
    ),
  ],
];

export function measureHostile(): Measured {
  const rows = CASES.map(({ name, event, pattern }) => {
    const rules = list(RULES, (at) => at).map((_, at) => {
      const parsed = parsePattern(pattern(at));
      if (!parsed.ok) throw new Error(`${name} is no pattern: ${parsed.issues[0]?.detail}`);
      return { id: `rule-${at}`, pattern: parsed.pattern };
    });
    const set = compileRules(rules);
    const times = Array.from({ length: 15 }, () => {
      const start = cpuMs();
      set.match(event);
      return cpuMs() - start;
    });
    return { name, ms: Math.min(...times) };
  });
  const refused = REFUSED.map(([name, pattern]) => {
    const parsed = parsePattern(pattern);
    return { name, code: parsed.ok ? "accepted" : (parsed.issues[0]?.code ?? "") };
  });
  return {
    text: [
      table(
        [`hostile, ${figure(RULES)} rules`, "ms an event", "at most 5"],
        [
          ...rows.map(({ name, ms }) => [name, figure(ms, 3), ms < MS_MAX ? "reached" : "missed"]),
          ...refused.map(({ name, code }) => [name, "refused", code]),
        ],
      ),
    ],
    data: { rows, refused },
  };
}
