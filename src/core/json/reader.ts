/** The own JSON parser (RFC 8259): exact numbers, duplicate keys, what was expected where. */
import { readNumber } from "./exact-number.ts";
import { formatPointer } from "./pointer.ts";
import { skipSpace } from "./skip.ts";
import { type Json, setMember } from "./value.ts";

export interface JsonFault {
  readonly reason: "syntax" | "too-deep";
  readonly offset: number;
  readonly expected: string;
}

export type JsonReading =
  | { readonly ok: true; readonly value: Json; readonly duplicates: readonly string[] }
  | { readonly ok: false; readonly fault: JsonFault };

export interface ReadOptions {
  readonly depthMax: number;
  /** How many duplicate keys are named: every name costs up to the text's length. */
  readonly duplicatesMax: number;
}

interface Reader {
  readonly text: string;
  readonly options: ReadOptions;
  readonly path: (string | number)[];
  readonly duplicates: string[];
  at: number;
  fault: JsonFault | undefined;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS = new Map<string, Json>([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const ESCAPES = 'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX';

/** Reads one whole text; of a key that stands twice in one object the last value counts. */
export function readJson(text: string, options: ReadOptions): JsonReading {
  const reader: Reader = { text, options, path: [], duplicates: [], at: 0, fault: undefined };
  const value = readValue(reader);
  if (value !== undefined) {
    reader.at = skipSpace(text, reader.at);
    if (reader.at < text.length) expect(reader, "the end of the text");
  }
  if (value === undefined || reader.fault) {
    return { ok: false, fault: reader.fault ?? { reason: "syntax", offset: 0, expected: "" } };
  }
  return { ok: true, value, duplicates: reader.duplicates };
}

/** Undefined here and below means that `reader.fault` says why. */
function readValue(reader: Reader): Json | undefined {
  reader.at = skipSpace(reader.text, reader.at);
  const first = reader.text[reader.at];
  if (first === "{") return readObject(reader);
  if (first === "[") return readArray(reader);
  if (first === '"') return readString(reader);
  for (const [word, value] of WORDS) {
    if (reader.text.startsWith(word, reader.at)) {
      reader.at += word.length;
      return value;
    }
  }
  NUMBER.lastIndex = reader.at;
  const literal = NUMBER.exec(reader.text)?.[0];
  if (literal === undefined) return expect(reader, "a value");
  reader.at += literal.length;
  return readNumber(literal);
}

function readObject(reader: Reader): Json | undefined {
  const object: Record<string, Json> = {};
  const complete = readMembers(reader, "}", () => {
    if (reader.text[reader.at] !== '"') return expect(reader, "a key in double quotes");
    const key = readString(reader);
    if (key === undefined) return undefined;
    reader.at = skipSpace(reader.text, reader.at);
    if (reader.text[reader.at] !== ":") return expect(reader, '":" after the key');
    reader.at += 1;
    reader.path.push(key);
    if (Object.hasOwn(object, key)) nameDuplicate(reader);
    const value = readValue(reader);
    reader.path.pop();
    if (value !== undefined) setMember(object, key, value);
    return value;
  });
  return complete ? object : undefined;
}

function readArray(reader: Reader): Json | undefined {
  const elements: Json[] = [];
  const complete = readMembers(reader, "]", () => {
    reader.path.push(elements.length);
    const value = readValue(reader);
    reader.path.pop();
    if (value !== undefined) elements.push(value);
    return value;
  });
  return complete ? elements : undefined;
}

/** Reads what stands between the bracket at hand and `close`, a comma between two members. */
function readMembers(
  reader: Reader,
  close: "}" | "]",
  readMember: () => Json | undefined,
): true | undefined {
  if (reader.path.length >= reader.options.depthMax) {
    return expect(reader, `at most ${reader.options.depthMax} levels of nesting`, "too-deep");
  }
  reader.at = skipSpace(reader.text, reader.at + 1);
  if (reader.text[reader.at] === close) {
    reader.at += 1;
    return true;
  }
  for (;;) {
    if (readMember() === undefined) return undefined;
    reader.at = skipSpace(reader.text, reader.at);
    const separator = reader.text[reader.at];
    if (separator !== "," && separator !== close) return expect(reader, `"," or "${close}"`);
    reader.at += 1;
    if (separator === close) return true;
    reader.at = skipSpace(reader.text, reader.at);
  }
}

function readString(reader: Reader): string | undefined {
  const { text, at: open } = reader;
  let escaped = false;
  reader.at += 1;
  while (text[reader.at] !== '"') {
    if (reader.at >= text.length) return expect(reader, "a closing double quote");
    if (text.charCodeAt(reader.at) < 0x20) return expect(reader, "an escaped control character");
    if (text[reader.at] === "\\") {
      ESCAPE.lastIndex = reader.at;
      const sequence = ESCAPE.exec(text)?.[0];
      if (sequence === undefined) return expect(reader, ESCAPES);
      escaped = true;
      reader.at += sequence.length;
    } else {
      reader.at += 1;
    }
  }
  reader.at += 1;
  return escaped
    ? String(JSON.parse(text.slice(open, reader.at)))
    : text.slice(open + 1, reader.at - 1);
}

function nameDuplicate(reader: Reader): void {
  if (reader.duplicates.length < reader.options.duplicatesMax) {
    reader.duplicates.push(formatPointer(reader.path));
  }
}

function expect(
  reader: Reader,
  expected: string,
  reason: "syntax" | "too-deep" = "syntax",
): undefined {
  reader.fault = { reason, offset: reader.at, expected };
}
