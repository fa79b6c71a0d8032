/** Checks the context attributes of a CloudEvent (CloudEvents 1.0.2) and names every fault. */
import { formatPointer, type Json } from "../json.ts";
import type { Fault } from "../problem.ts";
import { ATTRIBUTES_COUNT_MAX, ATTRIBUTES_LENGTH_MAX } from "./limits.ts";
import { isMediaType } from "./media-type.ts";
import { isTimestamp } from "./timestamp.ts";

/** Canonical string form of each attribute that is set, extensions included. */
export type Attributes = Readonly<Record<string, string>>;

interface Rule {
  readonly required?: true;
  readonly demand: string;
  isValid(value: string): boolean;
}

/** Characters of RFC 3986; what they mean is between the sender and its readers. */
const URI_REFERENCE = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;
const URI_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;

const nonEmpty: Rule = { demand: "must not be empty", isValid: (value) => value !== "" };

/** The attributes that the specification names; all of them are strings. */
const CORE = new Map<string, Rule>(
  Object.entries<Rule>({
    specversion: {
      required: true,
      demand: 'must be "1.0"',
      isValid: (value) => value === "1.0",
    },
    id: { ...nonEmpty, required: true },
    source: {
      required: true,
      demand: "must be a URI reference (RFC 3986)",
      isValid: (value) => URI_REFERENCE.test(value),
    },
    type: { ...nonEmpty, required: true },
    subject: nonEmpty,
    time: { demand: "must be a timestamp (RFC 3339)", isValid: isTimestamp },
    datacontenttype: { demand: "must be a media type (RFC 2046)", isValid: isMediaType },
    dataschema: {
      demand: "must be a URI (RFC 3986)",
      isValid: (value) => URI_SCHEME.test(value) && URI_REFERENCE.test(value),
    },
  }),
);

const NAME = /^[a-z0-9]+$/;
/** Control characters, noncharacters and lone surrogates ("Type System", String). */
const DISALLOWED = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/**
 * @param given names with values in JSON types; null means unset (JSON format §2.2), undefined that
 *   the attribute is there but its fault has been named before
 * @param at JSON Pointer of the event, in front of every fault's
 */
export function checkAttributes(
  given: readonly (readonly [string, Json | undefined])[],
  at: string,
): { attributes: Attributes; faults: Fault[] } {
  if (isTooLarge(given)) {
    const detail = `Limits: ${ATTRIBUTES_COUNT_MAX} attributes, ${ATTRIBUTES_LENGTH_MAX} characters.`;
    return { attributes: {}, faults: [{ pointer: at, code: "too-large", detail }] };
  }
  const attributes = new Map<string, string>();
  const faults: Fault[] = [];
  const report = (name: string, { code, demand }: Finding) =>
    faults.push({ pointer: at + formatPointer([name]), code, detail: `${name} ${demand}.` });

  for (const [name, value] of given) {
    if (value === null) continue;
    const finding = attributes.has(name)
      ? TWICE
      : value === undefined
        ? null
        : findFault(name, value);
    if (finding !== null) report(name, finding);
    attributes.set(name, canonical(value ?? null) ?? "");
  }
  for (const [name, rule] of CORE) {
    if (rule.required && !attributes.has(name)) report(name, MISSING);
  }
  return { attributes: Object.fromEntries(attributes), faults };
}

interface Finding {
  readonly code: string;
  readonly demand: string;
}

const MISSING: Finding = { code: "missing", demand: "is required" };
const TWICE: Finding = { code: "duplicate", demand: "is given twice" };

function findFault(name: string, value: Json): Finding | null {
  if (!NAME.test(name) || name === "data") {
    return { code: "name", demand: "is no attribute name (a to z and 0 to 9, but not 'data')" };
  }
  const rule = CORE.get(name);
  if (rule && typeof value !== "string") return { code: "type", demand: "must be a string" };
  const written = canonical(value);
  if (written === null) {
    return { code: "type", demand: "must be a string, a boolean or a 32-bit integer" };
  }
  if (DISALLOWED.test(written)) {
    return { code: "character", demand: "must not hold control characters or noncharacters" };
  }
  return rule && !rule.isValid(written) ? { code: "format", demand: rule.demand } : null;
}

/** Looked at first, so that the faults of a huge event cannot outgrow it. */
function isTooLarge(given: readonly (readonly [string, Json | undefined])[]): boolean {
  const lengthOf = (value: Json | undefined) => (typeof value === "string" ? value.length : 0);
  const length = given.reduce((sum, [name, value]) => sum + name.length + lengthOf(value), 0);
  return given.length > ATTRIBUTES_COUNT_MAX || length > ATTRIBUTES_LENGTH_MAX;
}

/** The string form of a text, a boolean or a 32-bit integer; null for anything else. */
function canonical(value: Json): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return typeof value === "number" && (value | 0) === value ? String(value) : null;
}
