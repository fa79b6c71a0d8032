/** Files that can be read in one sitting, lines that fit on a page, and the folders at the top. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commentLines, filesIn, ROOT, WORKER_FOLDERS } from "./tree.ts";

const LINES_SOFT_MAX = 250;
const LINES_MAX = 400;
/** Code is kept to 100 by the formatter; one sentence above it may be a little longer. */
const COMMENT_COLUMNS_MAX = 120;

const files = filesIn(...WORKER_FOLDERS, "test", "bench");
const lengthOf = (text: string): number => text.replace(/\n$/, "").split("\n").length;

describe("files", () => {
  it(`are no longer than ${LINES_MAX} lines`, async ({ annotate }) => {
    expect(files.length).toBeGreaterThan(150);
    const long = files.filter(({ text }) => lengthOf(text) > LINES_SOFT_MAX);
    for (const { path, text } of long) await annotate(`${path}: ${lengthOf(text)} lines`, "long");
    const tooLong = long.filter(({ text }) => lengthOf(text) > LINES_MAX);
    expect(tooLong.map(({ path, text }) => `${path}: ${lengthOf(text)}`)).toEqual([]);
  });

  it(`have no comment beyond column ${COMMENT_COLUMNS_MAX}, unless an address ends there`, () => {
    const wide = files.flatMap(({ path, text, lines }) =>
      [...commentLines(text)].flatMap((index) => {
        const line = lines[index] ?? "";
        const isWide = [...line].length > COMMENT_COLUMNS_MAX && !/https?:\S+$/.test(line);
        return isWide ? [`${path}:${index + 1}`] : [];
      }),
    );
    expect(wide).toEqual([]);
  });

  it("end with one line break and have no blanks at the ends of lines", () => {
    const untidy = files.filter(({ text }) => !/\S\n$/.test(text) || /[ \t]\n/.test(text));
    expect(untidy.map(({ path }) => path)).toEqual([]);
  });
});

describe("the top of the tree", () => {
  const REQUIRED = [
    ...["LICENSE", "README.md", "package.json", "package-lock.json", "tsconfig.json"],
    ...["wrangler.toml", "bench", "docs", "migrations", "test", ...WORKER_FOLDERS],
  ];
  const ALLOWED = [...REQUIRED, "console"];
  const entries = readdirSync(ROOT).filter(
    (name) => !name.startsWith(".") && name !== "node_modules",
  );

  it("holds what the design names and nothing else", () => {
    expect(entries.filter((name) => !ALLOWED.includes(name))).toEqual([]);
    expect(REQUIRED.filter((name) => !entries.includes(name))).toEqual([]);
  });
});
