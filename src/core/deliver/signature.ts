/** Standard Webhooks signatures of what we send (spec/standard-webhooks.md, "Signature scheme"). */
import { encodeBase64 } from "../bytes.ts";
import { webhookSecretBytes } from "../webhook-secret.ts";

/** The specification's bounds for a symmetric secret. */
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** The key bytes of a secret that may sign, or null if it is none or too short or long to be one. */
export function signingKey(secret: string): Uint8Array | null {
  const bytes = webhookSecretBytes(secret);
  if (bytes === null) return null;
  return bytes.length >= SECRET_BYTES_MIN && bytes.length <= SECRET_BYTES_MAX ? bytes : null;
}

/** What precedes the body in the signed content. */
export const signedPrefix = (id: string, timestampSeconds: number): string =>
  `${id}.${timestampSeconds}.`;

/** One value of the `webhook-signature` header. */
export const signatureValue = (signature: Uint8Array, version: "v1" | "v1a" = "v1"): string =>
  `${version},${encodeBase64(signature)}`;
