/** Every file of the core and of the flows is reached by a test without a Worker. */
import { describe, expect, it } from "vitest";
import { filesIn, reachedFrom } from "./tree.ts";

const files = [...filesIn("src"), ...filesIn("test")];

/** Types alone do nothing that a test could see. */
const hasCode = /^export (?:\*|\{|async |const|function|class|let)/m;

const testsIn = (...folders: string[]): string[] =>
  filesIn(...folders)
    .map(({ path }) => path)
    .filter((path) => path.endsWith(".test.ts"));

/** Files of a folder that do something and are reached by no test of these folders. */
function unreached(folder: string, ...testFolders: string[]): string[] {
  const reached = reachedFrom(testsIn(...testFolders), files, ["value"]);
  const working = filesIn(folder).filter(({ text }) => hasCode.test(text));
  expect(working.length).toBeGreaterThan(10);
  return working.map(({ path }) => path).filter((path) => !reached.has(path));
}

describe("every file", () => {
  it("of the core is reached by a test without a Worker", () => {
    expect(unreached("src/core", "test/core", "test/flows", "test/tidy")).toEqual([]);
  });

  it("of the flows is reached by theirs", () => {
    expect(unreached("src/flows", "test/flows")).toEqual([]);
  });

  it("is missed here when nothing reaches it", () => {
    expect(unreached("src/core", "test/tidy")).toContain("src/core/ids.ts");
  });
});
