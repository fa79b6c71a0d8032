/**
 * Finds the list at a path of a JSON text that comes in parts, counts and checks its elements: a body of 25 MB
 * is looked through without being held, and nothing is sent of a list of which not all can be.
 */
import type { Text } from "../crypto.ts";
import { JSON_DEPTH_MAX } from "../ingest/limits.ts";
import { type Path, parseJson } from "../json.ts";
import { FANOUT_ELEMENT_BYTES_MAX, FANOUT_ELEMENTS_MAX } from "./limits.ts";
import { createSplitter, isBlank, isClosing, isOpening, type Splitter } from "./split.ts";

export type FoundList =
  /** `offset` is that of the byte behind the bracket that opens it. */
  | { readonly ok: true; readonly total: number; readonly offset: number }
  /** For a person to read. */
  | { readonly ok: false; readonly reason: string };

export interface ListFinder {
  /** The next bytes; false when no more are needed. */
  take(bytes: Uint8Array): boolean;
  end(): FoundList;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OBJECT = 0x7b;
const LIST = 0x5b;
/** A longer name is none of a path: that has 512 characters at most. */
const NAME_BYTES_MAX = 4_096;
const KINDS = new Map([
  [OBJECT, "an object"],
  [QUOTE, "a text"],
  [0x6e, "null"],
  [0x74, "true"],
  [0x66, "false"],
]);
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** `written` is what a person calls the place. Of a name that stands twice the last value counts, as in JSON.parse. */
export function createListFinder(path: Path, written: string, text: Text): ListFinder {
  /** Opening brackets of everything that is open. */
  const open: number[] = [];
  /** How many of these, from the root on, lead to the path. */
  let live = 0;
  let offset = 0;
  let isInString = false;
  let isEscaped = false;
  let isRootOver = false;
  /** The next string names a member, of which the bytes are gathered. */
  let awaitsName = false;
  let nameBytes: number[] | null = null;
  let name = "";
  /** Of the next value in the innermost live list. */
  let index = 0;
  /** The next value stands one step further on the path. */
  let isNext = true;
  let splitter: Splitter | null = null;
  const nothing: FoundList = { ok: false, reason: `there is nothing at ${written}` };
  let found: FoundList = nothing;
  let fault: string | null = null;

  const fail = (reason: string): void => {
    fault ??= reason;
  };
  const noJson = (at: number): void => fail(`the body is no JSON: the fault is at byte ${at}`);
  const isHere = (): boolean => open.length === live;

  function begin(byte: number): void {
    if (!isNext) return;
    isNext = false;
    found = nothing;
    if (live === path.length) beginTarget(byte);
    else if (isOpening(byte)) live += 1;
  }

  function beginTarget(byte: number): void {
    const kind = KINDS.get(byte) ?? "a number";
    found = { ok: false, reason: `${written} is ${kind}, and no list` };
    if (byte !== LIST) return;
    let total = 0;
    const listOffset = offset + 1;
    found = { ok: true, total, offset: listOffset };
    splitter = createSplitter(FANOUT_ELEMENT_BYTES_MAX, (element) => {
      if (total < FANOUT_ELEMENTS_MAX) checkElement(element, total);
      total += 1;
      found = { ok: true, total, offset: listOffset };
      return fault === null;
    });
  }

  function checkElement(element: Uint8Array, at: number): void {
    const json = text.decode(element);
    const parsed = json === null ? null : parseJson(json, { depthMax: JSON_DEPTH_MAX });
    if (parsed?.ok) return;
    const isDeep = parsed?.reason === "too-deep";
    fail(`element ${at} ${isDeep ? `nests deeper than ${JSON_DEPTH_MAX} levels` : "is no JSON"}`);
  }

  function enter(byte: number): void {
    open.push(byte);
    if (!isHere()) return;
    awaitsName = byte === OBJECT;
    index = 0;
    isNext = byte === LIST && path[live - 1] === 0;
  }

  function leave(byte: number): void {
    // The codes of both halves differ by two.
    if (open.pop() !== byte - 2) noJson(offset);
    isRootOver = open.length === 0;
    isNext = false;
    if (live <= open.length) return;
    live = open.length;
    // Its container goes on from the place that the path names.
    const reached = path[live - 1];
    if (typeof reached === "number") index = reached;
    awaitsName = false;
  }

  function punctuate(byte: number): void {
    if (!isHere()) return;
    if (byte === COLON) isNext = name === path[live - 1];
    else {
      awaitsName = open.at(-1) === OBJECT;
      index += 1;
      isNext = !awaitsName && path[live - 1] === index;
    }
  }

  function look(byte: number): void {
    if (isInString) lookInString(byte);
    else if (isBlank(byte)) return;
    else if (open.length === 0 && isRootOver) noJson(offset);
    else if (isClosing(byte)) leave(byte);
    else if (byte === COMMA || byte === COLON) punctuate(byte);
    else lookAtValue(byte);
  }

  /** A value or a name begins, or a number, true, false or null goes on. */
  function lookAtValue(byte: number): void {
    if (isHere() && !awaitsName) begin(byte);
    if (splitter !== null) return;
    if (byte === QUOTE) {
      isInString = true;
      nameBytes = isHere() && awaitsName ? [] : null;
    } else if (isOpening(byte)) enter(byte);
  }

  function lookInString(byte: number): void {
    const isEnd = byte === QUOTE && !isEscaped;
    isEscaped = byte === BACKSLASH && !isEscaped;
    if (!isEnd) {
      if (nameBytes !== null && nameBytes.length < NAME_BYTES_MAX) nameBytes.push(byte);
      return;
    }
    isInString = false;
    isRootOver = open.length === 0;
    if (nameBytes === null) return;
    name = unquoted(text.decode(Uint8Array.from(nameBytes)) ?? "");
    nameBytes = null;
    awaitsName = false;
  }

  /** The list's own bytes; its end is left to be looked at like that of any other value. */
  function split(bytes: Uint8Array, from: number, own: Splitter): number {
    const end = own.take(bytes, from);
    offset += end - from;
    const count = found.ok ? found.total : 0;
    if (own.fault === "too-large") {
      fail(`element ${count} has more than ${FANOUT_ELEMENT_BYTES_MAX} bytes`);
    } else if (own.fault === "no-json") noJson(offset - 1);
    if (own.isEnded) {
      splitter = null;
      isRootOver = open.length === 0;
    }
    return end;
  }

  return {
    take(bytes) {
      for (let at = 0; at < bytes.length && fault === null; ) {
        if (splitter !== null) at = split(bytes, at, splitter);
        else {
          const byte = bytes[at] ?? 0;
          if (offset >= BYTE_ORDER_MARK.length || byte !== BYTE_ORDER_MARK[offset]) look(byte);
          offset += 1;
          at += 1;
        }
      }
      return fault === null;
    },
    end() {
      if (fault !== null) return { ok: false, reason: fault };
      const isWhole = splitter === null && open.length === 0 && !isInString;
      if (!isWhole) return { ok: false, reason: "the body ends before its JSON does" };
      if (found.ok && found.total > FANOUT_ELEMENTS_MAX) {
        const reason = `the list has ${found.total} elements; ${FANOUT_ELEMENTS_MAX} at most`;
        return { ok: false, reason };
      }
      return found;
    },
  };
}

/** What the escapes of a name stand for; a name that is none is on no path. */
function unquoted(inner: string): string {
  try {
    return JSON.parse(`"${inner}"`);
  } catch {
    return "";
  }
}
