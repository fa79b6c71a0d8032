/**
 * The part of node:crypto (under nodejs_compat) that the Worker uses; all of @types/node would let
 * Node's globals in.
 */
declare module "node:crypto" {
  interface Hash {
    update(bytes: Uint8Array): this;
    digest(): Uint8Array;
  }
  export function createHash(algorithm: string): Hash;
  export function createHmac(algorithm: string, key: Uint8Array): Hash;
  interface KeyObject {
    export(options: { type: "spki"; format: "der" }): Uint8Array;
  }
  export function createPrivateKey(pem: string): KeyObject;
  export function createPublicKey(key: KeyObject): KeyObject;
  export function sign(algorithm: null, bytes: Uint8Array, key: KeyObject): Uint8Array;
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
}
