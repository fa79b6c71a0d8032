/** Percent-decoding over bytes, for forms and for CloudEvents in headers. */
import type { Text } from "../crypto.ts";

const PERCENT = 0x25;

/**
 * Decodes each `%xy` once. A "%" without two hex digits is kept as it stands, as browsers do with
 * forms, or makes the whole null.
 */
export function percentDecode(
  encoded: Uint8Array,
  otherwise: "keep" | "refuse",
): Uint8Array | null {
  if (!encoded.includes(PERCENT)) return encoded;
  const decoded = new Uint8Array(encoded.length);
  let length = 0;
  for (let index = 0; index < encoded.length; index += 1, length += 1) {
    const byte = encoded[index] ?? 0;
    decoded[length] = byte;
    if (byte !== PERCENT) continue;
    const high = hexDigit(encoded[index + 1]);
    const low = hexDigit(encoded[index + 2]);
    if (high !== null && low !== null) {
      decoded[length] = high * 16 + low;
      index += 2;
    } else if (otherwise === "refuse") return null;
  }
  return decoded.subarray(0, length);
}

function hexDigit(code: number | undefined): number | null {
  if (code === undefined) return null;
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : null;
}

/**
 * The attribute behind the value of a `ce-` header (HTTP binding §3.1.3.2): unquoted if it is a
 * quoted string (RFC 9110 §5.6.4), then percent-decoded once. Null when a quote does not end, a
 * percent sequence is broken, or the result is not UTF-8.
 */
export function decodeHeaderValue(value: string, text: Text): string | null {
  const unquoted = value.startsWith('"') ? unquote(value) : value;
  if (unquoted === null) return null;
  const decoded = percentDecode(text.encode(unquoted), "refuse");
  return decoded === null ? null : text.decode(decoded);
}

function unquote(value: string): string | null {
  let unquoted = "";
  for (let index = 1; index < value.length; index += 1) {
    const character = value.charAt(index);
    if (character === '"') return index === value.length - 1 ? unquoted : null;
    if (character === "\\") index += 1;
    unquoted += value.charAt(index);
  }
  return null;
}
