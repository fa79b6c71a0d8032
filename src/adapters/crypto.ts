/** Hashes, signatures, constant-time comparison and UTF-8 from the platform; synchronous: WebCrypto is slower here. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  timingSafeEqual,
} from "node:crypto";
import { encodeBase64 } from "../core/bytes.ts";
import type { Text } from "../core/crypto.ts";
import type { StreamCrypto } from "../ports/stream-crypto.ts";

export const platformCrypto: StreamCrypto = {
  hmac(algorithm, key, ...parts) {
    const mac = createHmac(algorithm, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  sha256(...parts) {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  equal: (a, b) => a.byteLength === b.byteLength && timingSafeEqual(a, b),
  hmacStream(algorithm, key) {
    const mac = createHmac(algorithm, key);
    return { update: (bytes) => void mac.update(bytes), digest: () => mac.digest() };
  },
  signEd25519: (key, ...parts) => sign(null, concatBytes(parts), ed25519Key(key)),
  publicEd25519(key) {
    const spki = createPublicKey(ed25519Key(key)).export({ type: "spki", format: "der" });
    return new Uint8Array(spki).subarray(-ED25519_BYTES);
  },
};

/** Of either half of a key; the last of what PKCS #8 and SPKI say of one. */
const ED25519_BYTES = 32;
/** What stands before them in PKCS #8 (RFC 8410, §7). */
const PKCS8 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);

function ed25519Key(key: Uint8Array): KeyObject {
  const base64 = encodeBase64(concatBytes([PKCS8, key]));
  return createPrivateKey(`-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`);
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const platformText: Text = {
  encode: (text) => encoder.encode(text),
  decode(bytes) {
    try {
      return decoder.decode(bytes);
    } catch {
      return null;
    }
  },
};
