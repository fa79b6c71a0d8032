/** The keys that sign what a target is sent: of both kinds of Standard Webhooks, each for as long as it is given. */
import { decodeBase64, encodeBase64 } from "../bytes.ts";
import { signingKey } from "./signature.ts";

/** A secret as it is given: for good, or until a time (RFC 3339) that is its last. */
export type SigningSecret =
  | string
  | { readonly secret: string; readonly notAfter?: string | undefined };

export interface SealedSecrets {
  readonly values: readonly string[];
  /** For each of them its last moment, null for none; left out when none has one. */
  readonly notAfter?: readonly (string | null)[];
}

export interface SigningKey {
  readonly kind: "hmac" | "ed25519";
  /** Of Ed25519 the private half, and the public one behind it if that is known. */
  readonly bytes: Uint8Array;
  /** Null for no end. */
  readonly notAfterMs: number | null;
}

const PRIVATE_PREFIX = "whsk_";
const PUBLIC_PREFIX = "whpk_";
/** Of either half of an Ed25519 key (RFC 8032, §5.1.5). */
const HALF_BYTES = 32;

/** What a secret may be, for whoever gave another. */
export const SECRET_FORMS =
  "not a Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64, or whsk_ and an Ed25519 key of 32 or 64";

/** Null for what is no secret of either kind. */
export function keyOfSecret(secret: string, notAfter: string | null): SigningKey | null {
  const notAfterMs = notAfter === null ? null : Date.parse(notAfter);
  if (!secret.startsWith(PRIVATE_PREFIX)) {
    const bytes = signingKey(secret);
    return bytes === null ? null : { kind: "hmac", bytes, notAfterMs };
  }
  const bytes = decodeBase64(secret.slice(PRIVATE_PREFIX.length));
  const isKey = bytes?.length === HALF_BYTES || bytes?.length === 2 * HALF_BYTES;
  return isKey ? { kind: "ed25519", bytes, notAfterMs } : null;
}

export function sealedSecrets(secrets: readonly SigningSecret[]): SealedSecrets {
  const given = secrets.map((each) => (typeof each === "string" ? { secret: each } : each));
  const notAfter = given.map((each) => each.notAfter ?? null);
  return {
    values: given.map(({ secret }) => secret),
    ...(notAfter.every((each) => each === null) ? {} : { notAfter }),
  };
}

export const signingKeysOf = ({ values, notAfter }: SealedSecrets): SigningKey[] =>
  values.flatMap((secret, index) => keyOfSecret(secret, notAfter?.[index] ?? null) ?? []);

export const isLive = ({ notAfterMs }: SigningKey, nowMs: number): boolean =>
  notAfterMs === null || nowMs <= notAfterMs;

/** It is meant to sign, and cannot any more: nothing may be sent that looks as if it never had been. */
export const haveAllExpired = (keys: readonly SigningKey[], nowMs: number): boolean =>
  keys.length > 0 && !keys.some((key) => isLive(key, nowMs));

export const privateHalf = ({ bytes }: SigningKey): Uint8Array => bytes.subarray(0, HALF_BYTES);

/** Null when the key came without it. */
export const publicHalf = ({ bytes }: SigningKey): Uint8Array | null =>
  bytes.length === 2 * HALF_BYTES ? bytes.subarray(HALF_BYTES) : null;

/** Both halves as one secret, from which the public one can be shown. */
export const wholeSecret = (key: SigningKey, publicBytes: Uint8Array): string =>
  PRIVATE_PREFIX + encodeBase64(Uint8Array.of(...privateHalf(key), ...publicBytes));

/** What a receiver verifies with. */
export const publicKeyText = (publicBytes: Uint8Array): string =>
  PUBLIC_PREFIX + encodeBase64(publicBytes);
