/** The elements of a list, one by one, out of bytes that come in parts: nothing but an element is ever held. */

export interface Splitter {
  /** Takes bytes from `at` on; answers where it stopped: behind the list or an element, or at their end. */
  take(bytes: Uint8Array, at: number): number;
  /** The bracket that closes the list has come. */
  readonly isEnded: boolean;
  readonly fault: "too-large" | "no-json" | null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

export const isOpening = (byte: number): boolean => byte === 0x7b || byte === 0x5b; // { [
export const isClosing = (byte: number): boolean => byte === 0x7d || byte === 0x5d; // } ]
export const isBlank = (byte: number): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Begins behind the bracket that opens the list, or behind a comma of it. `onElement` gets an element's own
 * bytes, unread, and how many have been taken with it; false ends the taking there.
 */
export function createSplitter(
  elementBytesMax: number,
  onElement: (element: Uint8Array, taken: number) => boolean,
): Splitter {
  const held = new Uint8Array(elementBytesMax);
  let length = 0;
  let count = 0;
  let taken = 0;
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let isEnded = false;
  let fault: Splitter["fault"] = null;

  /** False when nobody wants more. */
  function finish(isLast: boolean): boolean {
    let end = length;
    while (end > 0 && isBlank(held[end - 1] ?? 0)) end -= 1;
    length = 0;
    if (end > 0) {
      count += 1;
      return onElement(held.slice(0, end), taken);
    }
    // An empty list has no element; between two commas there must be one.
    if (!isLast || count > 0) fault = "no-json";
    return fault === null;
  }

  /** False where the element ends. */
  function isInside(byte: number): boolean {
    if (isInString) {
      if (isEscaped) isEscaped = false;
      else if (byte === BACKSLASH) isEscaped = true;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (isOpening(byte)) depth += 1;
    else if (isClosing(byte)) depth -= 1;
    return depth >= 0 && (depth > 0 || isInString || byte !== COMMA);
  }

  return {
    get isEnded() {
      return isEnded;
    },
    get fault() {
      return fault;
    },
    take(bytes, from) {
      for (let at = from; at < bytes.length; at += 1) {
        const byte = bytes[at] ?? 0;
        taken += 1;
        if (!isInside(byte)) {
          isEnded = depth < 0;
          if (!finish(isEnded) || isEnded) return at + 1;
        } else if (length > 0 || !isBlank(byte)) {
          if (length === held.length) fault = "too-large";
          if (fault !== null) return at + 1;
          held[length] = byte;
          length += 1;
        }
      }
      return bytes.length;
    },
  };
}
