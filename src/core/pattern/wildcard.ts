/** Wildcards: `*` is any run of characters, `\*` and `\\` are themselves; never going back. */
import { WILDCARD_STARS_MAX } from "./limits.ts";

/** The literal texts between the stars: at least one, and one alone means that there is no star. */
export interface Wildcard {
  readonly literals: readonly string[];
  readonly ignoreCase: boolean;
}

export type WildcardFault = "double-star" | "bad-escape" | "too-many-stars";

export type WildcardReading =
  | { readonly ok: true; readonly wildcard: Wildcard }
  | { readonly ok: false; readonly fault: WildcardFault };

export function readWildcard(text: string, ignoreCase: boolean): WildcardReading {
  const literals = [""];
  for (let at = 0; at < text.length; at += 1) {
    let character = text[at] ?? "";
    if (character === "*") {
      if (text[at + 1] === "*") return { ok: false, fault: "double-star" };
      literals.push("");
      continue;
    }
    if (character === "\\") {
      at += 1;
      character = text[at] ?? "";
      if (character !== "*" && character !== "\\") return { ok: false, fault: "bad-escape" };
    }
    literals.push(`${literals.pop()}${character}`);
  }
  if (literals.length - 1 > WILDCARD_STARS_MAX) return { ok: false, fault: "too-many-stars" };
  return {
    ok: true,
    wildcard: { literals: ignoreCase ? literals.map(fold) : literals, ignoreCase },
  };
}

/** Whether all of `text` fits: ends are anchored, each literal between takes its first place. */
export function fitsWildcard(wildcard: Wildcard, text: string): boolean {
  const subject = wildcard.ignoreCase ? fold(text) : text;
  const [first = "", ...rest] = wildcard.literals;
  const last = rest.pop();
  if (last === undefined) return subject === first;
  if (!subject.startsWith(first) || !subject.endsWith(last)) return false;
  let at = first.length;
  for (const literal of rest) {
    const found = subject.indexOf(literal, at);
    if (found === -1) return false;
    at = found + literal.length;
  }
  return at + last.length <= subject.length;
}

/**
 * Equal for texts that differ in case only. Upper case comes last because lower case depends on
 * the neighbours (a final sigma), upper case does not.
 */
export function fold(text: string): string {
  return text.toLowerCase().toUpperCase();
}
