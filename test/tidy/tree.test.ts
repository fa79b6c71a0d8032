/** The reader of the source tree, since every other check here believes it. */
import { describe, expect, it } from "vitest";
import { codeOf, commentLines, filesIn, importsOf, reachedFrom, WORKER_FOLDERS } from "./tree.ts";

describe("the source tree", () => {
  it("is seen whole", () => {
    const paths = filesIn(...WORKER_FOLDERS, "test").map(({ path }) => path);
    expect(paths.length).toBeGreaterThan(150);
    expect(paths).toContain("src/core/pattern/parse.ts");
    expect(paths).toContain("routes/ingest.ts");
    expect(paths).toContain("test/tidy/tree.test.ts");
  });

  it("is not taken for empty when a folder is misspelt", () => {
    expect(() => filesIn("sources")).toThrow();
    expect(() => filesIn("migrations")).toThrow("no source files");
  });
});

describe("an import", () => {
  it.each([
    ['import { a } from "./b.ts";', "value", "src/core/b.ts"],
    ['import type { A } from "../b.ts";', "type", "src/b.ts"],
    ['import { type A, b } from "./b.ts";', "value", "src/core/b.ts"],
    ['import * as all from "./b.ts";', "value", "src/core/b.ts"],
    ['import "./b.ts";', "value", "src/core/b.ts"],
    ['import {\n  type A,\n  b,\n} from "./b.ts";', "value", "src/core/b.ts"],
    ['export { a } from "./b.ts";', "value", "src/core/b.ts"],
    ['export type { A } from "./b.ts";', "type", "src/core/b.ts"],
    ['const { a } = await import("./b.ts");', "dynamic", "src/core/b.ts"],
  ])("%j is found", (text, kind, from) => {
    expect(importsOf("src/core/a.ts", text)).toEqual([{ from, kind, isOurs: true }]);
  });

  it("of a package is told from one of ours", () => {
    const text = 'import { it } from "vitest";\nimport { join } from "node:path";';
    expect(importsOf("a.ts", text)).toMatchObject([
      { from: "vitest", isOurs: false },
      { from: "node:path", isOurs: false },
    ]);
  });

  it.each(['// import { a } from "./b.ts";', ' * import { a } from "./b.ts";', 'const a = "b";'])(
    "is not %j",
    (text) => {
      expect(importsOf("a.ts", text)).toEqual([]);
    },
  );
});

describe("code", () => {
  it("is what is left without comments and texts, at its place", () => {
    const text = 'a; // b\nc /* d\ne */ f "g \\" h" i\n`j\nk` l';
    const code = codeOf(text);
    expect(code.replace(/[^\S\n]+/g, " ").trim()).toBe("a; \nc \n f i\n \n l");
    expect(code.split("\n")).toHaveLength(text.split("\n").length);
  });
});

describe("comments", () => {
  it("are told from texts that look like them", () => {
    const text = 'a; // b\nc = "// d";\n/*\n * e\n */\nf';
    expect(commentLines(text)).toEqual(new Set([0, 2, 3, 4]));
  });
});

describe("what is reached", () => {
  const files = [
    ["a.ts", 'import { b } from "./b.ts";'],
    ["b.ts", 'import type { C } from "./c.ts";\nconst d = await import("./d.ts");'],
  ].map(([path = "", text = ""]) => ({
    ...{ path, text, lines: [], code: text },
    imports: importsOf(path, text),
  }));

  it("goes on over the kinds that are asked for", () => {
    expect(reachedFrom(["a.ts"], files, ["value"])).toEqual(new Set(["a.ts", "b.ts"]));
    expect(reachedFrom(["a.ts"], files, ["value", "type"])).toContain("c.ts");
    expect(reachedFrom(["a.ts"], files, ["value", "dynamic"])).toContain("d.ts");
  });
});
