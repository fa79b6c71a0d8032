/** The core's crypto and text ports over Node, for tests without a Worker. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Crypto, Text } from "../../src/core/crypto.ts";

export const nodeCrypto: Crypto = {
  hmac(algorithm, key, ...parts) {
    const hmac = createHmac(algorithm, key);
    for (const part of parts) hmac.update(part);
    return new Uint8Array(hmac.digest());
  },
  sha256(...parts) {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return new Uint8Array(hash.digest());
  },
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const nodeText: Text = {
  encode: (text) => encoder.encode(text),
  decode(bytes) {
    try {
      return strictDecoder.decode(bytes);
    } catch {
      return null;
    }
  },
};
