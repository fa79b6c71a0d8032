/** Numbers and times as texts that sort as they do, so that a store which knows only texts can compare them. */
import { isTimestamp } from "../ingest/timestamp.ts";
import { ExactNumber, type Json } from "../json.ts";

/** More digits than any number that counts something has; what is longer has no rank. */
const DIGITS_MAX = 64;
const LITERAL = /^(-?)0*(\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?$/;
/** Of zeros before and behind those digits: what is longer is not looked at. */
const CHARACTERS_MAX = 1_000;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Times sort after numbers. Null for what is neither, or too long. */
export function rankOf(value: Json | undefined): string | null {
  if (value instanceof ExactNumber) return numberRank(value.text);
  if (typeof value === "number") return numberRank(String(value));
  if (typeof value !== "string" || value.length > 2 * DIGITS_MAX) return null;
  if (NUMBER.test(value)) return numberRank(value);
  return isTimestamp(value) ? timeRank(value) : null;
}

/** Sign, exponent, digits: of negative ones complemented, so that the larger is the smaller. */
function numberRank(literal: string): string | null {
  if (literal.length > CHARACTERS_MAX) return null;
  const [, sign, whole = "", fraction = "", power = "0"] = LITERAL.exec(literal) ?? [];
  if (sign === undefined) return null;
  const all = whole + fraction;
  const digits = all.replace(/^0+/, "").replace(/0+$/, "");
  if (digits.length > DIGITS_MAX) return null;
  if (digits === "") return "n1";
  const leading = all.length - all.replace(/^0+/, "").length;
  // Of 0.digits × 10^exponent.
  const exponent = 5_000_000 + Number(power) + whole.length - leading;
  const size = `${String(exponent).padStart(7, "0")}${digits}`;
  return sign === "-" ? `n0${complement(size)}~` : `n2${size}`;
}

const complement = (digits: string): string =>
  digits.replace(/\d/g, (digit) => String(9 - Number(digit)));

/** Seconds since the year 0, and the fraction as it is written. */
function timeRank(value: string): string | null {
  const [, minute = "", second = "", fraction = "", zone = ""] =
    /^(.{16}):(\d\d)(?:\.(\d+))?(.+)$/.exec(value.toUpperCase()) ?? [];
  const seconds = Date.parse(`${minute}:00${zone}`) / 1_000 + Number(second);
  if (Number.isNaN(seconds) || fraction.length > DIGITS_MAX) return null;
  const sinceYearZero = seconds + 62_167_219_200 + 86_400;
  return `t${String(sinceYearZero).padStart(12, "0")}${fraction.replace(/0+$/, "")}`;
}
