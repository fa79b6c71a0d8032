/** Runs every example of the README of the pattern language. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as ingestCaps from "../../../src/core/ingest/limits.ts";
import { parseJson, parseJsonDocument } from "../../../src/core/json.ts";
import { RULES_PER_TENANT_MAX } from "../../../src/core/limits.ts";
import { explainPattern } from "../../../src/core/pattern/explain.ts";
import { matchesPattern, parsePattern } from "../../../src/core/pattern/index.ts";
import * as caps from "../../../src/core/pattern/limits.ts";

const readme = readFileSync(
  new URL("../../../src/core/pattern/README.md", import.meta.url),
  "utf8",
);
const event = parseJson(/```json\n(.*?)```/s.exec(readme)?.[1] ?? "", { depthMax: 10 });

describe("the README's event", () => {
  test.each(rowsOf("Patterns that match it"))("matches %s", (text) => {
    const parsed = parse(text);
    expect(parsed.ok && event.ok && matchesPattern(parsed.pattern, event.value)).toBe(true);
  });

  test.each(rowsOf("Patterns that do not match it"))("does not match %s", (text) => {
    const parsed = parse(text);
    expect(parsed.ok && event.ok && matchesPattern(parsed.pattern, event.value)).toBe(false);
    const verdicts = parsed.ok && event.ok ? explainPattern(parsed.pattern, event.value) : [];
    expect(verdicts.some((verdict) => !verdict.ok)).toBe(true);
  });
});

describe("the README's faulty patterns", () => {
  test.each(rowsOf("Patterns that are refused"))("refuses %s", (text, ...cells) => {
    const parsed = parse(text);
    const named = parsed.ok ? [] : parsed.issues.map(({ pointer, code }) => [pointer, code]);
    const [code, pointer = ""] = cells.reverse();
    expect(named).toEqual([[pointer, code]]);
  });
});

describe("the README's caps", () => {
  const constants: Readonly<Record<string, unknown>> = {
    ...caps,
    ...ingestCaps,
    RULES_PER_TENANT_MAX,
  };
  const rows = readme.matchAll(/^\| `(\w+_MAX)` \| ([\d,]+) \|/gm);
  const listed = new Map([...rows].map(([, name = "", most = ""]) => [name, most]));

  test.each([...listed])("say of %s that it is %s", (name, most) => {
    expect(Number(constants[name]).toLocaleString("en")).toBe(most);
  });

  test("leave none of a pattern's out", () => {
    expect(Object.keys(caps).filter((name) => !listed.has(name))).toEqual([]);
    expect(listed.size).toBeGreaterThan(Object.keys(caps).length);
  });
});

function parse(text: string) {
  const document = parseJsonDocument(text);
  if (!document.ok) throw new Error(`not JSON: ${text}`);
  return parsePattern(document.value, document.duplicates);
}

/** The cells in backticks of every table row in a section. */
function rowsOf(title: string): [string, ...string[]][] {
  const section = readme.split(/^## /m).find((part) => part.startsWith(title)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  if (rows.length === 0) throw new Error(`the README has no examples under "${title}"`);
  return rows.map((row) => {
    const [first = "", ...rest] = [...row.matchAll(/`([^`]*)`/g)].map((cell) => cell[1] ?? "");
    return [first, ...rest];
  });
}
