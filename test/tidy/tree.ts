/** The source tree as the checks read it: files, imports, code without texts and comments. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Import {
  /** A file of ours from the root, or the name of a package as it is written. */
  readonly from: string;
  readonly kind: "value" | "type" | "dynamic";
  readonly isOurs: boolean;
}

export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The text with every comment and every text literal blanked, line by line as before. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export const WORKER_FOLDERS = ["src", "routes", "consumers", "durable-objects"] as const;

export const readText = (path: string): string => readFileSync(join(ROOT, path), "utf8");

/**
 * TypeScript files below these folders; throws when there are none, so that no check passes unseen.
 */
export function filesIn(...folders: readonly string[]): SourceFile[] {
  const files = folders.flatMap((folder) => {
    const entries = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
    const paths = entries.filter((path) => /\.ts$/.test(path));
    if (paths.length === 0) throw new Error(`${folder} has no source files`);
    return paths.map((path) => `${folder}/${path.replaceAll("\\", "/")}`);
  });
  return files.sort().map(readSource);
}

const sources = new Map<string, SourceFile>();

function readSource(path: string): SourceFile {
  const known = sources.get(path);
  if (known !== undefined) return known;
  const text = readText(path);
  const source = {
    path,
    text,
    lines: text.split("\n"),
    code: codeOf(text),
    imports: importsOf(path, text),
  };
  sources.set(path, source);
  return source;
}

const COMMENT_OR_TEXT =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`/g;

/** Good for finding words; a regular expression that holds a quote may hide the rest of its line. */
export function codeOf(text: string): string {
  return text.replace(COMMENT_OR_TEXT, (match) => match.replace(/[^\n]/g, " "));
}

/** Numbers of the lines, from 0, on which a comment stands. */
export function commentLines(text: string): Set<number> {
  const lines = new Set<number>();
  for (const { 0: match, index } of text.matchAll(COMMENT_OR_TEXT)) {
    if (!match.startsWith("/")) continue;
    const first = text.slice(0, index).split("\n").length - 1;
    for (let line = 0; line < match.split("\n").length; line += 1) lines.add(first + line);
  }
  return lines;
}

const STATIC_IMPORT = /^(?:import|export)\s+(type\s+)?(?:[\w\s{},*$]*?\sfrom\s+)?"([^"]+)";/gm;
const DYNAMIC_IMPORT = /\bimport\("([^"]+)"\)/g;

export function importsOf(path: string, text: string): Import[] {
  const resolved = (from: string, kind: Import["kind"]): Import =>
    from.startsWith(".")
      ? { from: posix.join(dirname(path), from), kind, isOurs: true }
      : { from, kind, isOurs: false };
  return [
    ...[...text.matchAll(STATIC_IMPORT)].map(([, type, from = ""]) =>
      resolved(from, type === undefined ? "value" : "type"),
    ),
    ...[...text.matchAll(DYNAMIC_IMPORT)].map(([, from = ""]) => resolved(from, "dynamic")),
  ];
}

/** Every file that `starts` reach by imports of these kinds, and the packages on the way. */
export function reachedFrom(
  starts: readonly string[],
  files: readonly SourceFile[],
  kinds: readonly Import["kind"][],
): Set<string> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const waiting = [...starts];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { from, kind } of byPath.get(path)?.imports ?? []) {
      if (kinds.includes(kind)) waiting.push(from);
    }
  }
  return reached;
}
