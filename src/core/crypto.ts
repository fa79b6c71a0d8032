/** The two ports through which the core handles secrets, hashes and text. */

/** Keyed and plain hashes; an adapter gives them from the platform's own implementation. */
export interface Crypto {
  /** HMAC (RFC 2104) over the parts as if they were one. An empty key is never asked for. */
  hmac(
    algorithm: "sha1" | "sha256" | "sha512",
    key: Uint8Array,
    ...parts: readonly Uint8Array[]
  ): Uint8Array;
  /** SHA-256 over the parts as if they were one. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** Equal bytes, in a time that depends on the lengths only; false when the lengths differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/**
 * UTF-8, without loss: for bytes that decode, `encode(decode(bytes))` gives the same bytes again.
 * So a byte order mark is kept, as U+FEFF at the start; whoever cannot use one takes it off.
 */
export interface Text {
  /** A lone surrogate has no UTF-8 form and becomes U+FFFD, as everywhere on the web. */
  encode(text: string): Uint8Array;
  /** Null when the bytes are not UTF-8 (overlong forms and encoded surrogates included). */
  decode(bytes: Uint8Array): string | null;
}
