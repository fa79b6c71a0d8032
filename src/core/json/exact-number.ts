/** Number literals that no double holds, and comparison of all numbers by exact decimal value. */

/** `0.digits × 10^exponent`; `digits` has no outer zeros, and zero has no digits at all. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: bigint;
}

/** Every literal of at most 15 digits without exponent survives a double (IEEE 754: DBL_DIG). */
const SAFE_LITERAL_LENGTH_MAX = 15;
const LITERAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
const ZERO = 0x30;

/**
 * A literal such as `9007199254740993` or `1e400`, kept as written. Made by `readNumber` only, so
 * that a number is an ExactNumber exactly when a double would change it. It is a class so that
 * `instanceof` tells it from every JSON object; it does not survive a structured clone.
 */
export class ExactNumber {
  readonly text: string;
  readonly decimal: Decimal;

  constructor(text: string, decimal: Decimal) {
    this.text = text;
    this.decimal = decimal;
    Object.freeze(this);
  }

  /** A stray JSON.stringify then shows the digits; `stringifyJson` writes them as the number. */
  toJSON(): string {
    return this.text;
  }
}

/** A JSON number literal: a double where its shortest form has the same decimal value. */
export function readNumber(literal: string): number | ExactNumber {
  const double = Number(literal);
  if (literal.length <= SAFE_LITERAL_LENGTH_MAX && !/[eE]/.test(literal)) return double;
  const decimal = readDecimal(literal);
  if (Number.isFinite(double) && compareDecimals(decimal, readDecimal(String(double))) === 0) {
    return double;
  }
  return new ExactNumber(literal, decimal);
}

/** Negative, zero or positive, like a sort callback; exact where one side is no double. */
export function compareNumbers(left: number | ExactNumber, right: number | ExactNumber): number {
  if (typeof left === "number" && typeof right === "number") {
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return compareDecimals(decimalOf(left), decimalOf(right));
}

function decimalOf(value: number | ExactNumber): Decimal {
  return typeof value === "number" ? readDecimal(String(value)) : value.decimal;
}

function readDecimal(literal: string): Decimal {
  const [, sign, whole = "", fraction = "", power = "0"] = LITERAL.exec(literal) ?? [];
  const all = whole + fraction;
  // Loops, because /0+$/ takes quadratic time on a million zeros before a one.
  let start = 0;
  while (all.charCodeAt(start) === ZERO) start += 1;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === ZERO) end -= 1;
  if (start === end) return { negative: false, digits: "", exponent: 0n };
  const exponent = BigInt(power) + BigInt(whole.length - start);
  return { negative: sign === "-", digits: all.slice(start, end), exponent };
}

function compareDecimals(left: Decimal, right: Decimal): number {
  if (left.negative !== right.negative) return left.negative ? -1 : 1;
  return left.negative ? compareSizes(right, left) : compareSizes(left, right);
}

function compareSizes(left: Decimal, right: Decimal): number {
  if (left.digits === "" || right.digits === "") return left.digits.length - right.digits.length;
  if (left.exponent !== right.exponent) return left.exponent < right.exponent ? -1 : 1;
  // Digits behind "0." order like text, because neither ends in a zero.
  return left.digits < right.digits ? -1 : left.digits > right.digits ? 1 : 0;
}
