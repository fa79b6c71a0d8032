/** The signatures of one attempt: one of each live key, over the same bytes. */
import { signatureValue, signedPrefix } from "../core/deliver/signature.ts";
import { privateHalf, type SigningKey } from "../core/deliver/signing-keys.ts";
import { bodyOf } from "../core/enqueue/record.ts";
import { ED25519_BODY_BYTES_MAX } from "../core/limits.ts";
import type { StreamCrypto } from "../ports/stream-crypto.ts";
import { archivedBody } from "./archived-body.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export interface ToSign {
  /** Of the delivery. */
  readonly id: string;
  readonly timestampSeconds: number;
  readonly held: HeldEvent;
  /** What is sent in place of the event's own bytes, if anything. */
  readonly instead: Uint8Array | null;
}

/** Why these keys cannot sign it, or null: Ed25519 needs the bytes whole, and those of a big body are not. */
export function unsignable(
  keys: readonly SigningKey[],
  { held, instead }: Pick<ToSign, "held" | "instead">,
): string | null {
  const isStreamed = instead === null && held.frame === null;
  if (!isStreamed || held.bodyBytes <= ED25519_BODY_BYTES_MAX || !keys.some(isEd25519)) return null;
  return `a body of more than ${ED25519_BODY_BYTES_MAX} bytes is not signed by Ed25519`;
}

const isEd25519 = ({ kind }: SigningKey): boolean => kind === "ed25519";

/** Bytes that rest in the archive are read through once for all keys. */
export async function signaturesOf(
  keys: readonly SigningKey[],
  { id, timestampSeconds, held, instead }: ToSign,
  ports: DeliverPorts,
): Promise<string[]> {
  if (keys.length === 0) return [];
  const prefix = ports.text.encode(signedPrefix(id, timestampSeconds));
  const bytes = instead ?? (held.frame === null ? null : bodyOf(held.frame));
  if (bytes !== null) {
    return keys.map((key) => signWhole(key, prefix, bytes, ports.crypto));
  }
  const macs = keys.map((key) =>
    isEd25519(key) ? null : ports.crypto.hmacStream("sha256", key.bytes),
  );
  const whole = keys.some(isEd25519) ? new Uint8Array(held.bodyBytes) : null;
  for (const mac of macs) mac?.update(prefix);
  const body = await archivedBody(held, ports);
  let length = 0;
  for await (const chunk of body.stream) {
    for (const mac of macs) mac?.update(chunk);
    whole?.set(chunk, length);
    length += chunk.length;
  }
  return keys.map((key, index) => {
    const mac = macs[index]?.digest();
    return mac === undefined
      ? signWhole(key, prefix, whole ?? new Uint8Array(), ports.crypto)
      : signatureValue(mac);
  });
}

/** The value of `webhook-signature` by one key. */
export function signWhole(
  key: SigningKey,
  prefix: Uint8Array,
  body: Uint8Array,
  crypto: Pick<StreamCrypto, "hmac" | "signEd25519">,
): string {
  if (!isEd25519(key)) return signatureValue(crypto.hmac("sha256", key.bytes, prefix, body));
  return signatureValue(crypto.signEd25519(privateHalf(key), prefix, body), "v1a");
}
