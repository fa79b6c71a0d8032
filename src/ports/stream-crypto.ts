/** Hashes over bodies that are never whole in memory, and signatures by key pairs. */
import type { Crypto } from "../core/crypto.ts";

export interface StreamCrypto extends Crypto {
  hmacStream(
    algorithm: "sha256",
    key: Uint8Array,
  ): { update(bytes: Uint8Array): void; digest(): Uint8Array };
  /** Ed25519 (RFC 8032) over the parts as if they were one; `key` is its private half, 32 bytes. */
  signEd25519(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** The public half of a private one. */
  publicEd25519(key: Uint8Array): Uint8Array;
}
