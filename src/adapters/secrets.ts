/**
 * Secrets at rest: AES-256-GCM under ENCRYPTION_KEY. The key's id stands before each ciphertext, so that what
 * an older key sealed is opened by that one; the resource's own name is bound in, so that a sealed
 * value copied to another resource does not open.
 */
import { decodeBase64, encodeBase64, encodeHex } from "../core/bytes.ts";
import { Invariant } from "../core/errors.ts";
import { DAMAGED, type Vault } from "../ports/vault.ts";
import { platformCrypto, platformText } from "./crypto.ts";

const VERSION = "v1";
const NONCE_BYTES = 12;
/** Where the key's id stands in what is sealed, as SQLite counts, and how long it is: `v1.1a2b3c4d.`. */
export const KEY_ID_PLACE = { from: VERSION.length + 2, length: 8 } as const;

/** `old`: keys that open and no longer seal. */
export function createVault(newest: string, old: readonly string[] = []): Vault {
  const current = readKey(newest, "ENCRYPTION_KEY");
  const others = old
    .map((key) => readKey(key, "ENCRYPTION_KEYS_OLD"))
    .filter(({ id }) => id !== current.id);
  const keys = new Map([...others, current].map((key) => [key.id, key]));

  const fingerprintBy = ({ raw }: Key, name: string, secret: string): string => {
    const mac = platformCrypto.hmac("sha256", raw, platformText.encode(`${name}:${secret}`));
    return encodeHex(mac.subarray(0, 8));
  };

  /** No name of a secret begins with a zero. */
  const derivedBy = ({ raw }: Key, purpose: string): Uint8Array =>
    platformCrypto.hmac("sha256", raw, platformText.encode(`\0${purpose}`));

  return {
    keyId: current.id,
    oldKeyIds: [...new Set(others.map(({ id }) => id))],
    fingerprint: (name, secret) => fingerprintBy(current, name, secret),
    fingerprints: (name, secret) =>
      [current, ...others].map((key) => fingerprintBy(key, name, secret)),

    derive: (purpose) => [
      derivedBy(current, purpose),
      ...others.map((key) => derivedBy(key, purpose)),
    ],

    async seal(name, plain) {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const algorithm = { name: "AES-GCM", iv, additionalData: platformText.encode(name) };
      const key = await current.imported;
      const sealed = await crypto.subtle.encrypt(algorithm, key, platformText.encode(plain));
      const parts = [encodeBase64(iv), encodeBase64(new Uint8Array(sealed))];
      return [VERSION, current.id, ...parts].join(".");
    },

    async open(name, sealed) {
      const [version, id = "", iv, ciphertext] = sealed.split(".");
      const nonce = decodeBase64(iv ?? "");
      const bytes = decodeBase64(ciphertext ?? "");
      if (version !== VERSION || nonce === null || bytes === null || !/^[0-9a-f]{8}$/.test(id)) {
        return { ok: false, keyId: DAMAGED };
      }
      const key = keys.get(id);
      if (key === undefined) return { ok: false, keyId: id };
      const algorithm = { name: "AES-GCM", iv: nonce, additionalData: platformText.encode(name) };
      const opening = crypto.subtle.decrypt(algorithm, await key.imported, bytes);
      const plain = await opening.catch(() => null);
      if (plain === null) return { ok: false, keyId: DAMAGED };
      return { ok: true, plain: platformText.decode(new Uint8Array(plain)) ?? "" };
    },
  };
}

interface Key {
  readonly id: string;
  readonly raw: Uint8Array;
  readonly imported: Promise<CryptoKey>;
}

function readKey(text: string, variable: string): Key {
  const raw = decodeBase64(text);
  if (raw?.length !== 32) throw new Invariant(`${variable} is not 32 bytes in base64`);
  return {
    id: encodeHex(platformCrypto.sha256(raw).subarray(0, 4)),
    raw,
    imported: crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]),
  };
}
