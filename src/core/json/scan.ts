/** A look at a JSON text before it is read: how deep it nests, whether doubles hold its numbers. */
import { isDigit, isExponent, isSpace, skipSpace } from "./skip.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;

/** Up to this many digits a literal without exponent survives a double (IEEE 754: DBL_DIG). */
const SAFE_DIGITS_MAX = 15;

export type Scan =
  | { readonly kind: "doubles" }
  | { readonly kind: "exact-numbers" }
  | { readonly kind: "too-deep"; readonly offset: number };

/**
 * One pass without recursion. "doubles": JSON.parse loses nothing. "exact-numbers": some literal
 * might lose value, so the own parser must read it. The text need not be valid JSON.
 */
export function scanJson(text: string, depthMax: number): Scan {
  // Enough for nearly every event, at half the cost: nothing in it even looks like such a number.
  if (!mayHoldExactNumber(text) && opensAtMost(text, depthMax)) return { kind: "doubles" };
  let depth = 0;
  let exactNumbers = false;
  for (let at = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = stringEnd(text, at);
    } else if (isDigit(code)) {
      const end = numberEnd(text, at);
      exactNumbers ||= mayLoseValue(text, at, end);
      at = end;
    } else {
      if (isOpening(code)) depth += 1;
      else if (isClosing(code)) depth -= 1;
      if (depth > depthMax) return { kind: "too-deep", offset: at };
      at += 1;
    }
  }
  return { kind: exactNumbers ? "exact-numbers" : "doubles" };
}

/** Whether something in the text looks like a literal that a double might not hold. */
const mayHoldExactNumber = (text: string): boolean => holdsLongRun(text) || holdsExponent(text);

/** Looks at every 16th character only: none of so many digits and points comes past all of them. */
function holdsLongRun(text: string): boolean {
  for (let at = SAFE_DIGITS_MAX; at < text.length; at += SAFE_DIGITS_MAX + 1) {
    if (!isDecimalPart(text.charCodeAt(at))) continue;
    let start = at;
    while (isDecimalPart(text.charCodeAt(start - 1))) start -= 1;
    let end = at + 1;
    while (isDecimalPart(text.charCodeAt(end))) end += 1;
    if (end - start > SAFE_DIGITS_MAX) return true;
  }
  return false;
}

/** A letter e behind digits, unless these stand in a word. */
function holdsExponent(text: string): boolean {
  for (const letter of ["e", "E"]) {
    for (let at = text.indexOf(letter); at >= 0; at = text.indexOf(letter, at + 1)) {
      let start = at;
      while (isDecimalPart(text.charCodeAt(start - 1))) start -= 1;
      if (start < at && mayPrecedeNumber(text.charCodeAt(start - 1))) return true;
    }
  }
  return false;
}

/** Whether there are so few brackets, those in strings among them, that nothing nests deeper. */
function opensAtMost(text: string, most: number): boolean {
  // In JSON each bracket has its other half; of what is none, the parsers say so.
  if (text.length <= 2 * most) return true;
  let opened = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      opened += 1;
      if (opened > most) return false;
    }
  }
  return true;
}

/** The offset behind the string that opens at `open`; the text's length when it is never closed. */
function stringEnd(text: string, open: number): number {
  for (let quote = text.indexOf('"', open + 1); quote !== -1; ) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/**
 * `[start, end)` of each element of the array that `text` holds, so that every event of a
 * CloudEvents batch keeps its original text. For text that was parsed before: an element is not
 * checked again. Undefined when the text is no array.
 */
export function sliceArrayElements(
  text: string,
): readonly { readonly start: number; readonly end: number }[] | undefined {
  const open = skipSpace(text, 0);
  if (text[open] !== "[") return undefined;
  const slices = [];
  let start = skipSpace(text, open + 1);
  while (start < text.length && text[start] !== "]") {
    const end = valueEnd(text, start);
    if (end === start) return undefined;
    slices.push({ start, end });
    const next = skipSpace(text, end);
    start = text[next] === "," ? skipSpace(text, next + 1) : next;
  }
  return start < text.length ? slices : undefined;
}

function valueEnd(text: string, start: number): number {
  if (text.charCodeAt(start) === QUOTE) return stringEnd(text, start);
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const code = text.charCodeAt(at);
    if (depth === 0 && endsScalar(code)) return at;
    if (isOpening(code)) depth += 1;
    else if (isClosing(code)) depth -= 1;
    at = code === QUOTE ? stringEnd(text, at) : at + 1;
    if (depth === 0 && isClosing(code)) return at;
  }
  return text.length;
}

function numberEnd(text: string, start: number): number {
  let end = start;
  while (isNumberPart(text.charCodeAt(end))) end += 1;
  return end;
}

function mayLoseValue(text: string, start: number, end: number): boolean {
  let digits = 0;
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) digits += 1;
    else if (isExponent(code)) return true;
  }
  if (digits <= SAFE_DIGITS_MAX) return false;
  // What programs write of a double is its shortest form, of up to 17 digits.
  const from = text.charCodeAt(start - 1) === MINUS ? start - 1 : start;
  const literal = text.slice(from, end);
  return String(Number(literal)) !== literal;
}

function isDecimalPart(code: number): boolean {
  return isDigit(code) || code === 0x2e; // .
}

/** The start of the text counts: a code there is NaN. */
function mayPrecedeNumber(code: number): boolean {
  return (
    Number.isNaN(code) || code === MINUS || code === 0x3a || endsScalar(code) || isOpening(code)
  );
}

function isNumberPart(code: number): boolean {
  if (isDigit(code) || isExponent(code)) return true;
  return code === 0x2e || code === 0x2b || code === 0x2d; // . + -
}

function isOpening(code: number): boolean {
  return code === 0x7b || code === 0x5b; // { [
}

function isClosing(code: number): boolean {
  return code === 0x7d || code === 0x5d; // } ]
}

function endsScalar(code: number): boolean {
  return code === 0x2c || isClosing(code) || isSpace(code); // ,
}
