/** Regular expressions over whole values: read, made into an automaton, and what of them an index can look for. */
import { REGEX_CHARACTERS_MAX, REGEX_TEXT_MAX } from "../limits.ts";
import { type Automaton, accepts, automatonOf } from "./automaton.ts";
import { type Node, readRegex } from "./syntax.ts";

export interface Regex {
  readonly automaton: Automaton;
  /** Texts that every match begins with, has in this order, and ends with; as of a wildcard. */
  readonly literals: readonly string[];
}

export type RegexReading =
  | { readonly ok: true; readonly regex: Regex }
  | { readonly ok: false; readonly detail: string };

export function readRegexTest(source: string): RegexReading {
  if (source.length > REGEX_CHARACTERS_MAX) {
    const detail = `A regular expression has at most ${REGEX_CHARACTERS_MAX} characters; this one has ${source.length}.`;
    return { ok: false, detail };
  }
  const syntax = readRegex(source);
  if (!syntax.ok) return syntax;
  const automaton = automatonOf(syntax.node);
  if (automaton === undefined) {
    const detail =
      "It takes more states than a rule may have: shorten its counts, or write several candidates of which one is enough.";
    return { ok: false, detail };
  }
  return { ok: true, regex: { automaton, literals: literalsOf(syntax.node) } };
}

/** A text that is longer than a pattern looks at matches nothing. */
export const fitsRegex = ({ automaton }: Regex, text: string): boolean =>
  text.length <= REGEX_TEXT_MAX && accepts(automaton, text);

/** What stands at the two ends and between, wherever it is certain. */
function literalsOf(root: Node): string[] {
  const literals = [""];
  const extend = (text: string): void => {
    literals.push(`${literals.pop()}${text}`);
  };
  const walk = (node: Node): void => {
    if (node.kind === "all") {
      for (const part of node.parts) walk(part);
      return;
    }
    const [only] = node.kind === "set" ? node.ranges : [];
    const isOne = node.kind === "set" && node.ranges.length === 1 && only?.[0] === only?.[1];
    // Half a character may be the other half of a whole one, which a text is not searched for.
    if (isOne && only !== undefined && !(only[0] >= 0xd800 && only[0] < 0xe000)) {
      extend(String.fromCodePoint(only[0]));
    } else if (node.kind === "repeat" && node.min === node.max) {
      for (let times = 0; times < node.min; times += 1) walk(node.node);
    } else literals.push("");
  };
  walk(root);
  return literals;
}
