/** Hashes, constant-time comparison and UTF-8 from the platform; synchronous, so faster than WebCrypto here. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
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
};

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
