/**
 * Secrets at rest: AES-256-GCM under ENCRYPTION_KEY. The key's id stands before each ciphertext, so
 * that a later key can be told from this one; the resource's own name is bound in, so that a sealed
 * value copied to another resource does not open.
 */
import { decodeBase64, encodeBase64, encodeHex } from "../core/bytes.ts";
import { Invariant } from "../core/errors.ts";
import type { Vault } from "../ports/vault.ts";
import { platformCrypto, platformText } from "./crypto.ts";

const VERSION = "v1";
const NONCE_BYTES = 12;

export function createVault(keyBase64: string): Vault {
  const raw = decodeBase64(keyBase64);
  if (raw?.length !== 32) throw new Invariant("ENCRYPTION_KEY is not 32 bytes in base64");
  const keyId = encodeHex(platformCrypto.sha256(raw).subarray(0, 4));
  const key = crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);

  return {
    fingerprint(name, secret) {
      const mac = platformCrypto.hmac("sha256", raw, platformText.encode(`${name}:${secret}`));
      return encodeHex(mac.subarray(0, 8));
    },

    // No name of a secret begins so.
    derive: (purpose) => platformCrypto.hmac("sha256", raw, platformText.encode(`\0${purpose}`)),

    async seal(name, plain) {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const algorithm = { name: "AES-GCM", iv, additionalData: platformText.encode(name) };
      const sealed = await crypto.subtle.encrypt(algorithm, await key, platformText.encode(plain));
      return [VERSION, keyId, encodeBase64(iv), encodeBase64(new Uint8Array(sealed))].join(".");
    },

    async open(name, sealed) {
      const [version, id, iv, ciphertext] = sealed.split(".");
      const nonce = decodeBase64(iv ?? "");
      const bytes = decodeBase64(ciphertext ?? "");
      if (version !== VERSION || id !== keyId || nonce === null || bytes === null) {
        throw new Invariant(`secrets of ${name} were sealed under key ${id ?? "?"}, not ${keyId}`);
      }
      const algorithm = { name: "AES-GCM", iv: nonce, additionalData: platformText.encode(name) };
      const plain = await crypto.subtle.decrypt(algorithm, await key, bytes);
      return platformText.decode(new Uint8Array(plain)) ?? "";
    },
  };
}
