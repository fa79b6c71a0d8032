/** Where things end in a JSON text (RFC 8259): checked as JSON.parse checks them, and not read. */

/** No JSON, or nested too deep. */
export const FAULT = -1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** The first offset from `at` on that holds no JSON whitespace (RFC 8259 section 2). */
export function skipSpace(text: string, at: number): number {
  let end = at;
  while (isSpace(text.charCodeAt(end))) end += 1;
  return end;
}

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The offset behind the value that starts at `at`, in which `levels` brackets may stand in each other. */
export function skipValue(text: string, at: number, levels: number): number {
  const code = text.charCodeAt(at);
  if (code === QUOTE) return skipString(text, at);
  if (code === 0x7b) return levels > 0 ? skipObject(text, at, levels - 1) : FAULT; // {
  if (code === 0x5b) return levels > 0 ? skipArray(text, at, levels - 1) : FAULT; // [
  if (code === MINUS || isDigit(code)) return skipNumber(text, at);
  if (text.startsWith("true", at) || text.startsWith("null", at)) return at + 4;
  return text.startsWith("false", at) ? at + 5 : FAULT;
}

function skipObject(text: string, open: number, levels: number): number {
  let at = skipSpace(text, open + 1);
  if (text.charCodeAt(at) === 0x7d) return at + 1; // }
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) return FAULT;
    at = skipString(text, at);
    if (at !== FAULT) at = skipColon(text, at);
    if (at !== FAULT) at = skipValue(text, at, levels);
    if (at === FAULT) return FAULT;
    at = skipSpace(text, at);
    const separator = text.charCodeAt(at);
    if (separator === 0x7d) return at + 1;
    if (separator !== COMMA) return FAULT;
    at = skipSpace(text, at + 1);
  }
}

function skipArray(text: string, open: number, levels: number): number {
  let at = skipSpace(text, open + 1);
  if (text.charCodeAt(at) === 0x5d) return at + 1; // ]
  for (;;) {
    at = skipValue(text, at, levels);
    if (at === FAULT) return FAULT;
    at = skipSpace(text, at);
    const separator = text.charCodeAt(at);
    if (separator === 0x5d) return at + 1;
    if (separator !== COMMA) return FAULT;
    at = skipSpace(text, at + 1);
  }
}

/** From the end of a key to the value behind the colon. */
export function skipColon(text: string, at: number): number {
  const colon = skipSpace(text, at);
  return text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : FAULT;
}

/** The offset behind the string that opens at `open`. */
export function skipString(text: string, open: number): number {
  for (let at = open + 1; ; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) {
      at = skipEscape(text, at) - 1;
      if (at < 0) return FAULT;
    } else if (!(code >= 0x20)) {
      return FAULT; // A control character, or NaN at the end of the text.
    }
  }
}

const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

function skipEscape(text: string, at: number): number {
  ESCAPE.lastIndex = at;
  return ESCAPE.test(text) ? ESCAPE.lastIndex : FAULT;
}

export function skipNumber(text: string, start: number): number {
  let at = start;
  let code = text.charCodeAt(at);
  if (code === MINUS) code = text.charCodeAt(++at);
  if (!isDigit(code)) return FAULT;
  if (code === 0x30) code = text.charCodeAt(++at);
  else while (isDigit(code)) code = text.charCodeAt(++at);
  if (code === 0x2e) {
    code = text.charCodeAt(++at);
    if (!isDigit(code)) return FAULT;
    while (isDigit(code)) code = text.charCodeAt(++at);
  }
  if (!isExponent(code)) return at;
  code = text.charCodeAt(++at);
  if (code === 0x2b || code === MINUS) code = text.charCodeAt(++at);
  if (!isDigit(code)) return FAULT;
  while (isDigit(code)) code = text.charCodeAt(++at);
  return at;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isExponent(code: number): boolean {
  return code === 0x65 || code === 0x45; // e E
}
