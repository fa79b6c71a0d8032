/** Secrets of Standard Webhooks, as both sides write them (spec/standard-webhooks.md, "Signature scheme"). */
import { decodeBase64 } from "./bytes.ts";

const PREFIX = "whsec_";

/** The key bytes of `whsec_` and base64, or of base64 alone, padded or not; null for what is neither. */
export function webhookSecretBytes(secret: string): Uint8Array | null {
  const base64 = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const bytes = decodeBase64(base64.padEnd(Math.ceil(base64.length / 4) * 4, "="));
  return bytes === null || bytes.length === 0 ? null : bytes;
}
