/** Reads of a JSON text what someone looks at, exactly; what nobody names is checked and skipped. */
import { readNumber } from "./exact-number.ts";
import { type Names, telltale } from "./names.ts";
import { readJson } from "./reader.ts";
import { FAULT, isDigit, skipColon, skipNumber, skipSpace, skipString, skipValue } from "./skip.ts";
import { type Json, setMember } from "./value.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const BACKSLASH = 0x5c;

/** Up to this many digits a literal without exponent is its double (IEEE 754: DBL_DIG). */
const SAFE_DIGITS_MAX = 15;
/** Powers of ten that are doubles: a quotient of two doubles is rounded once, as it should be. */
const POWERS = Array.from({ length: SAFE_DIGITS_MAX + 1 }, (_, power) => 10 ** power);

/**
 * The value without the members of objects that have no name, so that whoever looks where names lead
 * finds what JSON.parse would find. A key with dots leads as far as its parts do. Undefined when the
 * text is no JSON, or when more than `depthMax` brackets stand in each other.
 */
export function readNamed(text: string, names: Names, depthMax: number): Json | undefined {
  const reader = new NamedReader(text);
  const value = reader.read(names, depthMax);
  return value !== undefined && skipSpace(text, reader.at) === text.length ? value : undefined;
}

class NamedReader {
  private readonly text: string;
  at: number;
  /** Of the string read last. */
  private isEscaped = false;
  private hasDots = false;

  constructor(text: string) {
    this.text = text;
    this.at = skipSpace(text, 0);
  }

  /** Undefined here and below is a fault. */
  read(names: Names, levels: number): Json | undefined {
    const start = this.at;
    const first = this.text.charCodeAt(start);
    if (first === QUOTE) {
      this.at = this.endOfString(start);
      return this.at === FAULT ? undefined : this.stringFrom(start, this.at);
    }
    if (isDigit(first) || first === MINUS) return this.number(start);
    if (names.whole !== true) {
      if (first === 0x7b) return levels > 0 ? this.object(names, levels - 1) : undefined; // {
      if (first === 0x5b) return levels > 0 ? this.array(names, levels - 1) : undefined; // [
    }
    this.at = skipValue(this.text, start, levels);
    return this.at === FAULT ? undefined : wholeOf(this.text.slice(start, this.at), levels);
  }

  private object(names: Names, levels: number): Json | undefined {
    const { text } = this;
    const object: Record<string, Json> = {};
    let at = skipSpace(text, this.at + 1);
    if (text.charCodeAt(at) === 0x7d) {
      this.at = at + 1;
      return object;
    }
    for (;;) {
      if (text.charCodeAt(at) !== QUOTE) return undefined;
      const end = this.endOfString(at);
      if (end === FAULT) return undefined;
      this.at = skipColon(text, end);
      if (this.at === FAULT) return undefined;
      if (!this.member(object, names, at, end, levels)) return undefined;
      at = skipSpace(text, this.at);
      const separator = text.charCodeAt(at);
      if (separator === 0x7d) break;
      if (separator !== COMMA) return undefined;
      at = skipSpace(text, at + 1);
    }
    this.at = at + 1;
    return object;
  }

  /** Whether the value of the key that stands from `start` to `end` is without fault. */
  private member(
    object: Record<string, Json>,
    names: Names,
    start: number,
    end: number,
    levels: number,
  ): boolean {
    const isPlain = !this.isEscaped && !this.hasDots;
    const bit = telltale(end - start - 2, this.text.charCodeAt(start + 1));
    if (!isPlain || (names.telltales & bit) !== 0) {
      const key = this.stringFrom(start, end);
      const named = isPlain ? names.next.get(key) : follow(names, key);
      if (named !== undefined) {
        const value = this.read(named, levels);
        if (value === undefined) return false;
        // The name is the same string made before, which is stored sooner than a new one.
        setMember(object, isPlain ? named.step : key, value);
        return true;
      }
    }
    this.at = skipValue(this.text, this.at, levels);
    return this.at !== FAULT;
  }

  private array(names: Names, levels: number): Json | undefined {
    const { text } = this;
    const elements: Json[] = [];
    this.at = skipSpace(text, this.at + 1);
    if (text.charCodeAt(this.at) === 0x5d) {
      this.at += 1;
      return elements;
    }
    for (;;) {
      const value = this.read(names, levels);
      if (value === undefined) return undefined;
      elements.push(value);
      const at = skipSpace(text, this.at);
      const separator = text.charCodeAt(at);
      this.at = at + 1;
      if (separator === 0x5d) return elements;
      if (separator !== COMMA) return undefined;
      this.at = skipSpace(text, at + 1);
    }
  }

  private endOfString(open: number): number {
    this.isEscaped = false;
    this.hasDots = false;
    for (let at = open + 1; ; at += 1) {
      const code = this.text.charCodeAt(at);
      if (code === QUOTE) return at + 1;
      if (code === POINT) this.hasDots = true;
      if (code === BACKSLASH) {
        this.isEscaped = true;
        this.hasDots = true; // as far as is known
        return skipString(this.text, open);
      }
      if (!(code >= 0x20)) return FAULT;
    }
  }

  private stringFrom(start: number, end: number): string {
    return this.isEscaped
      ? String(JSON.parse(this.text.slice(start, end)))
      : this.text.slice(start + 1, end - 1);
  }

  private number(start: number): Json | undefined {
    const { text } = this;
    this.at = skipNumber(text, start);
    if (this.at === FAULT) return undefined;
    let digits = 0;
    let point = 0;
    let mantissa = 0;
    for (let at = start; at < this.at; at += 1) {
      const code = text.charCodeAt(at);
      if (isDigit(code)) {
        digits += 1;
        mantissa = mantissa * 10 + code - 0x30;
      } else if (code === POINT) {
        point = at + 1;
      } else if (at > start) {
        digits = Number.POSITIVE_INFINITY; // an exponent
      }
    }
    if (digits > SAFE_DIGITS_MAX) return readNumber(text.slice(start, this.at));
    const size = point === 0 ? mantissa : mantissa / (POWERS[this.at - point] ?? 1);
    return text.charCodeAt(start) === MINUS ? -size : size;
  }
}

function wholeOf(written: string, levels: number): Json | undefined {
  const reading = readJson(written, { depthMax: levels, duplicatesMax: 0 });
  return reading.ok ? reading.value : undefined;
}

/** The name that a key with dots leads to. */
function follow(names: Names, key: string): Names | undefined {
  let found: Names | undefined = names;
  for (const step of key.split(".")) found = found?.next.get(step);
  return found;
}
