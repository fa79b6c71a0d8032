/** Every file of the pure core that does something is reached by a test that runs without a Worker. */
import { describe, expect, it } from "vitest";
import { filesIn, reachedFrom } from "./tree.ts";

const core = filesIn("src/core");
const files = [...filesIn("src"), ...filesIn("test")];

/** Types alone do nothing that a test could see. */
const hasCode = /^export (?:\*|\{|async |const|function|class|let)/m;

const testsIn = (...folders: string[]): string[] =>
  filesIn(...folders)
    .map(({ path }) => path)
    .filter((path) => path.endsWith(".test.ts"));

describe("the core", () => {
  it("is reached by its tests, file by file", () => {
    const reached = reachedFrom(testsIn("test/core"), files, ["value"]);
    const working = core.filter(({ text }) => hasCode.test(text));
    expect(working.length).toBeGreaterThan(50);
    expect(working.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });
});

describe("the flows", () => {
  it("are reached by theirs", () => {
    const reached = reachedFrom(testsIn("test/flows"), files, ["value"]);
    const working = filesIn("src/flows").filter(({ text }) => hasCode.test(text));
    expect(working.length).toBeGreaterThan(10);
    expect(working.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([]);
  });
});
