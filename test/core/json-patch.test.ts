/** A JSON Patch between two values: applied to one it gives the other, and says no more than it must. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Json,
  type PatchOperation,
  parseJsonDocument,
  parsePointer,
  patchBetween,
  stringifyJson,
} from "../../src/core/json.ts";

/** RFC 6902 section 4 for the operations that we make; throws where one of them may not be applied. */
function applied(value: Json, operations: readonly PatchOperation[]): Json {
  return operations.reduce((whole, operation) => {
    const path = parsePointer(operation.path);
    if (path === undefined) throw new Error(`no pointer: ${operation.path}`);
    return step(whole, path, operation);
  }, value);
}

function step(at: Json, path: readonly string[], operation: PatchOperation): Json {
  const [name, ...rest] = path;
  if (name === undefined) {
    if (operation.op !== "replace") throw new Error(`${operation.op} of the whole`);
    return operation.value;
  }
  const isLast = rest.length === 0;
  if (Array.isArray(at)) {
    if (!/^(0|[1-9]\d*)$/.test(name)) throw new Error(`${name} is no index`);
    const index = Number(name);
    if (index >= at.length + (isLast && operation.op === "add" ? 1 : 0)) throw new Error("beyond");
    if (!isLast) return at.with(index, step(at[index], rest, operation));
    if (operation.op === "remove") return at.toSpliced(index, 1);
    return at.toSpliced(index, operation.op === "add" ? 0 : 1, operation.value);
  }
  const members = new Map(Object.entries(at as Record<string, Json>));
  if (members.has(name) === (isLast && operation.op === "add")) throw new Error(`at ${name}`);
  if (!isLast) members.set(name, step(members.get(name) ?? null, rest, operation));
  else if (operation.op === "remove") members.delete(name);
  else members.set(name, operation.value);
  return Object.fromEntries(members);
}

const read = (text: string): Json => {
  const parsed = parseJsonDocument(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
};

/** Few names and few scalars, so that two of them often have something in common. */
const { value: similar } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, 1, "a", "", read("1e400"), read("9007199254740993")),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "", "~", "/", "__proto__", "0"), tie("value")))
      .map((members) => Object.fromEntries(members)),
  ),
}));

describe("a patch between two values", () => {
  test("gives the other when it is applied to the one", () => {
    fc.assert(
      fc.property(similar, similar, (before, after) => {
        const result = applied(before, patchBetween(before, after));
        expect(sorted(result)).toBe(sorted(after));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is empty exactly when both are equal, whatever the order of their members", () => {
    fc.assert(
      fc.property(similar, similar, (before, after) => {
        const isEqual = sorted(before) === sorted(after);
        expect(patchBetween(before, after).length === 0).toBe(isEqual);
        expect(patchBetween(before, structuredCopy(before))).toEqual([]);
      }),
    );
    expect(patchBetween(read('{"a":1,"b":2}'), read('{"b":2.0,"a":1e0}'))).toEqual([]);
    expect(patchBetween(read("1e400"), read("10e399"))).toEqual([]);
  });

  test.each<[string, string, PatchOperation[]]>([
    ['{"a":1}', '{"a":2}', [{ op: "replace", path: "/a", value: 2 }]],
    ['{"a":1}', "{}", [{ op: "remove", path: "/a" }]],
    ["{}", '{"__proto__":1}', [{ op: "add", path: "/__proto__", value: 1 }]],
    ['{"a/b~":1}', "{}", [{ op: "remove", path: "/a~1b~0" }]],
    ["[1]", '{"0":1}', [{ op: "replace", path: "", value: { 0: 1 } }]],
    ['["a","b"]', '["x","a","b"]', [{ op: "add", path: "/0", value: "x" }]],
    ['["a","b","c"]', '["a","c"]', [{ op: "remove", path: "/1" }]],
    ['["a","a"]', '["a"]', [{ op: "remove", path: "/1" }]],
    ['[{"a":1},2]', '[{"a":3},2]', [{ op: "replace", path: "/0/a", value: 3 }]],
    ['["a","b","c"]', "[]", ["/2", "/1", "/0"].map((path) => ({ op: "remove", path }))],
  ])("from %s to %s is short", (before, after, operations) => {
    expect(patchBetween(read(before), read(after))).toEqual(operations);
  });

  test("of the deepest documents takes no more steps than they have values", () => {
    const deep = (inner: string) => read(`${"[".repeat(99)}${inner}${"]".repeat(99)}`);
    const path = "/0".repeat(99);
    expect(patchBetween(deep("1"), deep("2"))).toEqual([{ op: "replace", path, value: 2 }]);
  });
});

/** The text of a value with the members of each object in order. */
function sorted(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join()}]`;
  if (typeof value !== "object" || value === null || "decimal" in value) {
    return stringifyJson(value);
  }
  const members = Object.entries(value).map(([key, member]) => `${key}:${sorted(member)}`);
  return `{${members.toSorted().join()}}`;
}

/** The same value, of other objects. */
const structuredCopy = (value: Json): Json => read(stringifyJson(value));
