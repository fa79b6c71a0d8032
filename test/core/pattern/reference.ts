/** A matcher so plain that it can be checked against the README by eye; as slow as it looks. */
import { ExactNumber, isJsonArray, isJsonObject, type Json } from "../../../src/core/json.ts";

interface Leaf {
  readonly path: string;
  readonly value: Json;
  /** Array identity → element, for every array in which the leaf stands inside an element. */
  readonly membership: ReadonlyMap<number, string>;
}

type Fields = readonly (readonly [path: string, candidates: readonly Json[]])[];

/** For patterns that `parsePattern` accepts with `$or` as a choice. */
export function referenceMatches(pattern: Json, event: Json): boolean {
  return spellOut(pattern, []).some((fields) => {
    const paths = new Set(fields.map(([path]) => path));
    const leaves = uniteArrays(flatten(event).filter((leaf) => paths.has(leaf.path)));
    return choose(fields, leaves, new Map(), []);
  });
}

/** A field takes a value or is absent; absences are judged last, for the elements then taken. */
function choose(
  fields: Fields,
  leaves: readonly Leaf[],
  taken: ReadonlyMap<number, string>,
  absent: readonly string[],
): boolean {
  const [field, ...others] = fields;
  if (field === undefined) {
    return absent.every((path) => !leaves.some((leaf) => leaf.path === path && agree(leaf, taken)));
  }
  const [path, candidates] = field;
  const usable = leaves.filter(
    (leaf) =>
      leaf.path === path &&
      agree(leaf, taken) &&
      candidates.some((candidate) => passes(candidate, leaf.value)),
  );
  return (
    usable.some((leaf) =>
      choose(others, leaves, new Map([...taken, ...leaf.membership]), absent),
    ) ||
    (candidates.some(isAbsence) && choose(others, leaves, taken, [...absent, path]))
  );
}

function agree(leaf: Leaf, taken: ReadonlyMap<number, string>): boolean {
  return [...leaf.membership].every(
    ([array, element]) => (taken.get(array) ?? element) === element,
  );
}

function flatten(event: Json): Leaf[] {
  const leaves: Leaf[] = [];
  let arrays = 0;
  const walk = (value: Json, path: string | undefined, membership: ReadonlyMap<number, string>) => {
    if (isJsonArray(value)) {
      const array = arrays++;
      value.forEach((element, index) => {
        const isElement = isJsonArray(element) || isJsonObject(element);
        const inside = isElement
          ? new Map([...membership, [array, `${array}:${index}`]])
          : membership;
        walk(element, path, inside);
      });
    } else if (isJsonObject(value)) {
      for (const [key, member] of Object.entries(value)) {
        walk(member, path === undefined ? key : `${path}.${key}`, membership);
      }
    } else {
      leaves.push({ path: path ?? "", value, membership });
    }
  };
  walk(event, undefined, new Map());
  return leaves;
}

/** Arrays that hold the same path in the same place count as one. */
function uniteArrays(leaves: readonly Leaf[]): Leaf[] {
  const same = new Map<number, number>();
  const rootOf = (array: number): number => {
    const parent = same.get(array);
    return parent === undefined ? array : rootOf(parent);
  };
  for (const left of leaves) {
    for (const right of leaves.filter(({ path }) => path === left.path)) {
      const [inLeft, inRight] = [[...left.membership], [...right.membership]];
      const split = inLeft.findIndex(([, element], depth) => element !== inRight[depth]?.[1]);
      const [one, other] = [inLeft[split]?.[0], inRight[split]?.[0]];
      if (one === undefined || other === undefined) continue;
      if (rootOf(one) !== rootOf(other)) same.set(rootOf(one), rootOf(other));
    }
  }
  return leaves.map((leaf) => ({
    ...leaf,
    membership: new Map([...leaf.membership].map(([array, element]) => [rootOf(array), element])),
  }));
}

function spellOut(pattern: Json, prefix: readonly string[]): Fields[] {
  let rules: Fields[] = [[]];
  for (const [key, value] of Object.entries(pattern as Record<string, Json>)) {
    rules = rules.flatMap((rule) =>
      membersOf(key, value, prefix).map((more) => [...rule, ...more]),
    );
  }
  return rules;
}

function membersOf(key: string, value: Json, prefix: readonly string[]): Fields[] {
  if (key === "$or") return (value as Json[]).flatMap((branch) => spellOut(branch, prefix));
  const path = [...prefix, key];
  if (!isJsonArray(value)) return spellOut(value, path);
  const [only] = value;
  const all = isJsonObject(only) ? only["all-of"] : undefined;
  if (isJsonArray(all)) return [all.map((candidate) => [path.join("."), [candidate]])];
  return [[[path.join("."), value]]];
}

function isAbsence(candidate: Json): boolean {
  return isJsonObject(candidate) && candidate.exists === false;
}

function passes(candidate: Json, value: Json): boolean {
  if (!isJsonObject(candidate)) return same(candidate, value);
  const [[operator, operand] = ["", null]] = Object.entries(candidate);
  if (operator === "exists") return operand === true;
  if (operator === "anything-but") {
    const [inner] = isJsonObject(operand) ? Object.entries(operand) : [];
    const excluded = inner ? inner[1] : operand;
    return !(isJsonArray(excluded) ? excluded : [excluded]).some((one) =>
      passes(inner ? { [inner[0]]: one } : one, value),
    );
  }
  if (operator === "numeric") return isNumber(value) && inRange(operand as Json[], value);
  return typeof value === "string" && passesText(operator, operand ?? null, value);
}

function passesText(operator: string, operand: Json, text: string): boolean {
  const inner = isJsonObject(operand) ? operand["equals-ignore-case"] : undefined;
  const ignoreCase = inner !== undefined || operator === "equals-ignore-case";
  const wanted = String(inner ?? operand);
  const source = ignoreCase ? variants(wanted) : escaped(wanted);
  if (operator === "prefix") return new RegExp(`^${source}`, "s").test(text);
  if (operator === "suffix") return new RegExp(`${source}$`, "s").test(text);
  if (operator === "wildcard") return fitsWildcard(wanted, text, ignoreCase);
  if (operator === "cidr") return inNetwork(wanted, text);
  if (operator === "regex") return new RegExp(`^(?:${wanted})$`, "su").test(text);
  return new RegExp(`^${source}$`, "s").test(text);
}

function fitsWildcard(wildcard: string, text: string, ignoreCase: boolean): boolean {
  const fold = (part: string) => (ignoreCase ? part.toLowerCase().toUpperCase() : part);
  const source = wildcard.replaceAll(/\\[*\\]|\*|[^*\\]+/g, (part) => {
    if (part === "*") return ".*";
    return escaped(fold(part.startsWith("\\") ? part.slice(1) : part));
  });
  return new RegExp(`^${source}$`, "s").test(fold(text));
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function variants(text: string): string {
  return text
    .split("")
    .map((unit) => `(?:${[unit, unit.toLowerCase(), unit.toUpperCase()].map(escaped).join("|")})`)
    .join("");
}

function isNumber(value: Json): value is number | ExactNumber {
  return typeof value === "number" || value instanceof ExactNumber;
}

function same(wanted: Json, value: Json): boolean {
  if (isNumber(wanted) && isNumber(value)) return difference(wanted, value) === 0n;
  return wanted === value;
}

function inRange(terms: readonly Json[], value: number | ExactNumber): boolean {
  const [comparison, bound, ...others] = terms;
  if (comparison === undefined || bound === undefined || !isNumber(bound)) return true;
  const order = difference(value, bound);
  const holds =
    (order === 0n && String(comparison).includes("=")) ||
    (order < 0n && comparison !== "=" && String(comparison).includes("<")) ||
    (order > 0n && comparison !== "=" && String(comparison).includes(">"));
  return holds && inRange(others, value);
}

/** Both numbers as integers of 10^-1000: the generated exponents are smaller. */
function difference(left: number | ExactNumber, right: number | ExactNumber): bigint {
  return thousandthDecimal(left) - thousandthDecimal(right);
}

function thousandthDecimal(value: number | ExactNumber): bigint {
  const text = value instanceof ExactNumber ? value.text : String(value);
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return BigInt(whole + fraction) * 10n ** BigInt(1000 + Number(exponent) - fraction.length);
}

function inNetwork(range: string, text: string): boolean {
  const [base = "", prefix = ""] = range.split("/");
  const [network, address] = [bitsOf(base), bitsOf(text)];
  if (network === undefined || address?.length !== network.length) return false;
  return network.slice(0, Number(prefix)) === address.slice(0, Number(prefix));
}

/** An address as 32 or 128 characters 0 and 1. */
function bitsOf(text: string): string | undefined {
  const binary = (digits: string, base: number, length: number) =>
    Number.parseInt(digits, base).toString(2).padStart(length, "0");
  if (/^\d+\.\d+\.\d+\.\d+$/.test(text) && text.length <= 15) {
    const parts = text.split(".");
    return parts.every((part) => Number(part) < 256)
      ? parts.map((part) => binary(part, 10, 8)).join("")
      : undefined;
  }
  if (!/^[0-9a-fA-F:]*$/.test(text) || !text.includes(":")) return undefined;
  const [head = "", tail, ...more] = text
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const groups = [...head, ...(tail ?? [])];
  const missing = 8 - groups.length;
  if (more.length > 0 || (tail ? missing < 1 : missing !== 0)) return undefined;
  if (groups.some((group) => group.length > 4) || /^:[^:]|[^:]:$|:::/.test(text)) return undefined;
  const all = [...head, ...Array(missing).fill("0"), ...(tail ?? [])];
  const bits = all.map((group) => binary(group, 16, 16)).join("");
  return /^0{80}1{16}/.test(bits) ? bits.slice(96) : bits;
}
