/** Words that may not stand in the code: what core may not know, what hides a fault. */
import { describe, expect, it } from "vitest";
import { filesIn, type SourceFile, WORKER_FOLDERS } from "./tree.ts";

interface Ban {
  readonly what: string;
  readonly word: RegExp;
}

/** In code, outside texts and comments. */
const NOT_IN_CORE: readonly Ban[] = [
  { what: "the clock", word: /\bDate\.now\b|\bperformance\b/ },
  { what: "the present moment", word: /\bnew Date\(\s*\)/ },
  { what: "timers", word: /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/ },
  { what: "chance", word: /\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b/ },
  { what: "the console", word: /\bconsole\b/ },
  { what: "the network", word: /(?<![.\w])fetch\b|\bXMLHttpRequest\b|\bWebSocket\b/ },
  { what: "WebCrypto", word: /\bcrypto\.subtle\b|\bglobalThis\b/ },
  { what: "the process", word: /\bprocess\./ },
  { what: "Node's bytes", word: /\bBuffer\b/ },
  { what: "the platform's text codecs", word: /\bText(En|De)coder\b|\batob\b|\bbtoa\b/ },
];

const NOWHERE: readonly Ban[] = [
  { what: "any", word: /\bas any\b|:\s*any\b|<any>/ },
  { what: "a non-null assertion", word: /[\w)\]]!(?=[.[;,)])/ },
  { what: "debugger", word: /\bdebugger\b/ },
  { what: "eval", word: /\beval\(|\bnew Function\b/ },
];

const NOT_IN_TESTS: readonly Ban[] = [
  { what: "a test alone", word: /\.only\(|\bf(it|describe)\(/ },
  { what: "a test left out", word: /\.(skip|todo|fails)\(|\bx(it|describe)\(/ },
];

/** In the whole text, comments included. */
const NOT_WRITTEN: readonly Ban[] = [
  { what: "a compiler silenced", word: /@ts-(ignore|nocheck|expect-error)/ },
  { what: "a linter silenced without a reason", word: /biome-ignore(?!.*: \w+ \w+)/ },
  { what: "work left undone", word: /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/ },
  { what: "zod whole, at three times its size", word: /import \{[^}]*\bz\b[^}]*\} from "zod/ },
];

const worker = filesIn(...WORKER_FOLDERS);
const core = filesIn("src/core");
const tests = filesIn("test");
const everything = [...worker, ...tests];

function findIn(
  files: readonly SourceFile[],
  part: "code" | "text",
  bans: readonly Ban[],
): string[] {
  return files.flatMap((file) =>
    file[part].split("\n").flatMap((line, index) =>
      bans.flatMap(({ what, word }) => {
        return word.test(line) ? [`${file.path}:${index + 1} ${what}`] : [];
      }),
    ),
  );
}

/** This file holds the words it looks for. */
const others = everything.filter(({ path }) => path !== "test/tidy/words.test.ts");

describe("core", () => {
  it("knows no clock, chance, network or platform", () => {
    expect(core.length).toBeGreaterThan(50);
    expect(findIn(core, "code", NOT_IN_CORE)).toEqual([]);
  });
});

describe("code", () => {
  it("hides no type from the compiler, except what a test reads of a JSON answer", () => {
    const found = findIn(others, "code", NOWHERE);
    expect(found.map((place) => place.replace(/:\d+/, ""))).toEqual([
      "src/local/admin.ts any",
      "test/support/openapi.ts any",
    ]);
  });

  it("leaves out no test", () => {
    expect(tests.length).toBeGreaterThan(50);
    expect(findIn(tests, "code", NOT_IN_TESTS)).toEqual([]);
  });

  it("silences no check and leaves no work undone", () => {
    expect(findIn(others, "text", NOT_WRITTEN)).toEqual([]);
  });

  it("says at the top of each file what it is for", () => {
    const silent = everything.filter(({ text }) => !/^\/\*\*[\s*]+\S/.test(text));
    expect(silent.map(({ path }) => path)).toEqual([]);
  });
});

describe("test titles", () => {
  const titles = tests.flatMap(({ path, text }) =>
    [...text.matchAll(/\b(?:it|test|describe)(?:\.each\([^\n]*\))?\(\s*["`]([^"`]*)["`]/g)].map(
      ([, title = ""]) => ({ path, title }),
    ),
  );

  it("say what holds, in the present tense", () => {
    expect(titles.length).toBeGreaterThan(500);
    expect(titles.filter(({ title }) => /\bshould\b/i.test(title))).toEqual([]);
  });
});

describe("the glossary", () => {
  /** What the field says, and DESIGN.md section 5 does not. */
  const FOREIGN = ["filter", "sink", "endpoint", "destination", "lane", "workflow"];
  const isForeign = (word: string): boolean => FOREIGN.includes(word.replace(/s$/, ""));
  const wordsOf = (name: string): string[] =>
    name
      .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
      .split(/[^A-Za-z0-9]+/)
      .map((word) => word.toLowerCase());
  const EXPORTED =
    /^export (?:abstract |async |declare )*(?:const|let|function\*?|class|type|interface) (\w+)/gm;

  const namesOf = ({ path, text }: SourceFile): string[] => [
    ...path.replace(/\.ts$/, "").split("/"),
    ...[...text.matchAll(EXPORTED)].map(([, name = ""]) => name),
  ];

  it("names every file and everything exported", () => {
    expect(worker.flatMap(namesOf).length).toBeGreaterThan(500);
    const foreign = worker.flatMap((file) =>
      namesOf(file)
        .filter((name) => wordsOf(name).some(isForeign))
        .map((name) => `${file.path} ${name}`),
    );
    expect(foreign).toEqual([]);
  });

  it.each(["EventFilter", "deliverySinks", "DEAD_LANE", "workflow-step", "endpointOf"])(
    "does not have %s",
    (name) => {
      expect(wordsOf(name).some(isForeign)).toBe(true);
    },
  );

  it.each(["planeOf", "explain", "sinking", "filtered"])("is not offended by %s", (name) => {
    expect(wordsOf(name).some(isForeign)).toBe(false);
  });
});

describe("the check itself", () => {
  const found = (bans: readonly Ban[], line: string): boolean =>
    bans.some(({ word }) => word.test(line));

  it.each([
    "const now = Date.now();",
    "return new Date().toISOString();",
    "if (Math.random() < 0.5)",
    'console.log("x")',
    "await fetch(url)",
    "crypto.subtle.sign()",
    "setTimeout(f, 1)",
    "Buffer.from(a)",
  ])("refuses %j in core", (line) => {
    expect(found(NOT_IN_CORE, line)).toBe(true);
  });

  it.each(["new Date(ms).toISOString()", "prefetch(url)", "store.fetch(url)", "crypto.sha256(a)"])(
    "takes %j in core",
    (line) => {
      expect(found(NOT_IN_CORE, line)).toBe(false);
    },
  );

  it.each(["value as any", "(x: any) =>", "items[0]!.id", "found!;", "eval(text)"])(
    "refuses %j everywhere",
    (line) => {
      expect(found(NOWHERE, line)).toBe(true);
    },
  );

  it.each(["a !== b", "if (!ready) return", "!isOpen", "company", "as Anything"])(
    "takes %j everywhere",
    (line) => {
      expect(found(NOWHERE, line)).toBe(false);
    },
  );

  it.each(['it.only("x")', "describe.skip(", "xit(", "it.todo("])("refuses %j in tests", (line) => {
    expect(found(NOT_IN_TESTS, line)).toBe(true);
  });

  it.each(["// @ts-ignore", "// TODO: later", 'import { z } from "zod";'])("refuses %j", (line) => {
    expect(found(NOT_WRITTEN, line)).toBe(true);
  });

  it.each(['import * as z from "zod/mini";', "method", "mastodon"])("takes %j", (line) => {
    expect(found(NOT_WRITTEN, line)).toBe(false);
  });
});
