/** Hashes over bodies that are never whole in memory. */
import type { Crypto } from "../core/crypto.ts";

export interface StreamCrypto extends Crypto {
  hmacStream(
    algorithm: "sha256",
    key: Uint8Array,
  ): { update(bytes: Uint8Array): void; digest(): Uint8Array };
}
