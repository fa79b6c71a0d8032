/** Hex and base64 (RFC 4648) over bytes, since the core borrows no codec from a platform. */

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/**
 * Encoded at once: a multiple of 3, small enough to spread as arguments; a string grown by pieces
 * is 10 times slower.
 */
const CHUNK_BYTES = 6_144;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** Standard alphabet, padded, without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  const chunks: string[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    chunks.push(String.fromCharCode(...base64Codes(bytes.subarray(start, start + CHUNK_BYTES))));
  }
  const padding = (3 - (bytes.length % 3)) % 3;
  const base64 = chunks.join("");
  return base64.slice(0, base64.length - padding) + "=".repeat(padding);
}

function base64Codes(bytes: Uint8Array): Uint8Array {
  const codes = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const group =
      ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    codes[to] = BASE64.charCodeAt(group >> 18);
    codes[to + 1] = BASE64.charCodeAt((group >> 12) & 63);
    codes[to + 2] = BASE64.charCodeAt((group >> 6) & 63);
    codes[to + 3] = BASE64.charCodeAt(group & 63);
  }
  return codes;
}

/**
 * The bytes of a base64 text, or null: other characters, line breaks, missing or misplaced padding.
 * Spare bits of the last character are ignored, as RFC 4648 §3.5 allows.
 */
export function decodeBase64(base64: string): Uint8Array | null {
  if (base64.length % 4 !== 0) return null;
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((base64.length / 4) * 3 - padding);
  let length = 0;
  let buffer = 0;
  let bits = 0;
  for (let index = 0; index < base64.length - padding; index += 1) {
    const sextet = sextetOf(base64.charCodeAt(index));
    if (sextet === null) return null;
    buffer = ((buffer << 6) | sextet) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length] = buffer >> bits;
    length += 1;
  }
  return bytes;
}

function sextetOf(code: number): number | null {
  if (code >= 65 && code <= 90) return code - 65;
  if (code >= 97 && code <= 122) return code - 71;
  if (code >= 48 && code <= 57) return code + 4;
  if (code === 43) return 62;
  return code === 47 ? 63 : null;
}
