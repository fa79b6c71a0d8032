/** Finds the tests on text that a string may pass, by a literal part that it must have. */
import type { Test } from "../pattern.ts";
import { fold } from "../wildcard.ts";
import { GramIndex } from "./gram-index.ts";
import type { Group, Search } from "./group.ts";
import { TextTrie } from "./text-trie.ts";

export type TextTest = Extract<
  Test,
  { kind: "prefix" | "suffix" | "ignore-case" | "wildcard" | "regex" }
>;

/** What every text that passes a test has, and where. */
interface LiteralPart {
  readonly at: "start" | "end" | "anywhere";
  readonly text: string;
  /** What it has at the other end as well. */
  readonly farEnd?: string;
}

/** Shorter than that, the ends of a wildcard say less than a longer text between its stars. */
const TELLING_LENGTH = 2;

/** For tests that ignore case, texts and their literal parts are both folded. */
export class TextIndex {
  readonly #ignoreCase: boolean;
  readonly #starts = new TextTrie("forward");
  readonly #ends = new TextTrie("backward");
  #anywhere: GramIndex | undefined;
  #longest = 0;
  size = 0;

  constructor(ignoreCase: boolean) {
    this.#ignoreCase = ignoreCase;
  }

  add(test: TextTest, group: Group): void {
    const part = literalPartOf(test);
    this.#longest = Math.max(this.#longest, part.text.length);
    if (part.at === "anywhere") this.#anywhere ??= new GramIndex();
    // Of a long text only the two ends are folded, each without the other.
    this.#storeOf(part)?.add(part.text, group, this.#ignoreCase ? "" : part.farEnd);
    this.size += 1;
  }

  remove(test: TextTest, group: Group): void {
    const part = literalPartOf(test);
    this.#storeOf(part)?.remove(part.text, group);
    if (this.#anywhere?.size === 0) this.#anywhere = undefined;
    this.size -= 1;
  }

  find(text: string, search: Search): void {
    if (!this.#ignoreCase) {
      this.#findIn(text, text, text, search);
    } else if (this.#anywhere !== undefined || text.length <= 2 * this.#longest) {
      const folded = fold(text);
      this.#findIn(folded, folded, text, search);
    } else {
      // Folding never shortens. One unit more keeps the halves of a character together.
      const length = this.#longest + 1;
      this.#findIn(fold(text.slice(0, length)), fold(text.slice(-length)), text, search);
    }
  }

  #findIn(head: string, tail: string, text: string, search: Search): void {
    this.#starts.find(head, text, search);
    this.#ends.find(tail, text, search);
    this.#anywhere?.find(head, text, search);
  }

  #storeOf({ at }: LiteralPart): TextTrie | GramIndex | undefined {
    return at === "start" ? this.#starts : at === "end" ? this.#ends : this.#anywhere;
  }
}

export function ignoresCase(test: TextTest): boolean {
  return test.kind === "ignore-case" || (test.kind === "wildcard" && test.wildcard.ignoreCase);
}

function literalPartOf(test: TextTest): LiteralPart {
  switch (test.kind) {
    case "prefix":
      return { at: "start", text: test.text };
    case "suffix":
      return { at: "end", text: test.text };
    case "wildcard":
      return literalPartOfWildcard(test.wildcard.literals);
    case "regex":
      return literalPartOfWildcard(test.regex.literals);
    case "ignore-case": {
      const text = test.units.map(([unit]) => unit).join("");
      if (test.part === "whole") return { at: "start", text: fold(text) };
      // Half a character at the open end may get its other half, and another case, in the event.
      return test.part === "prefix"
        ? { at: "start", text: fold(text.replace(/[\ud800-\udbff]$/, "")) }
        : { at: "end", text: fold(text.replace(/^[\udc00-\udfff]/, "")) };
    }
  }
}

function literalPartOfWildcard([first = "", ...others]: readonly string[]): LiteralPart {
  const last = others.pop() ?? "";
  const [longest = ""] = others.toSorted((left, right) => right.length - left.length);
  const atAnEnd = Math.max(first.length, last.length);
  if (atAnEnd < TELLING_LENGTH && longest.length > atAnEnd)
    return { at: "anywhere", text: longest };
  return first.length >= last.length
    ? { at: "start", text: first, farEnd: last }
    : { at: "end", text: last, farEnd: first };
}
