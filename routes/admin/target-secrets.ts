/** The secrets that sign what a target is sent: validated, told apart by what may be shown of them. */
import * as z from "zod";
import {
  haveAllExpired,
  isLive,
  keyOfSecret,
  privateHalf,
  publicHalf,
  publicKeyText,
  SECRET_FORMS,
  type SealedSecrets,
  type SigningSecret,
  sealedSecrets,
  signingKeysOf,
  wholeSecret,
} from "../../src/core/deliver/signing-keys.ts";
import type { Json } from "../../src/core/json.ts";
import { SECRETS_MAX } from "../../src/core/limits.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { StreamCrypto } from "../../src/ports/stream-crypto.ts";
import { isoOrNull } from "./change.ts";
import { Count, Secret, Time } from "./schemas.ts";

const One = Secret.refine((secret) => keyOfSecret(secret, null) !== null, { error: SECRET_FORMS });

export const SigningSecrets = z
  .array(
    z.union([
      One,
      z.strictObject({
        secret: One,
        notAfter: z.iso
          .datetime({ offset: true, error: "not an RFC 3339 time" })
          .optional()
          .describe("After it the secret signs nothing."),
      }),
    ]),
  )
  .max(SECRETS_MAX);

export const ShownSecrets = z.object({
  count: Count,
  live: Count.describe("When none of several is, nothing is sent: attempts fail and say so."),
  keys: z.array(
    z.object({
      notAfter: Time.nullable(),
      expired: z.boolean(),
      publicKey: z.string().optional().describe("Of a key pair: what its receivers verify with."),
    }),
  ),
});

export function shownSecrets(sealed: SealedSecrets, nowMs: number): Record<string, Json> {
  const keys = signingKeysOf(sealed);
  return {
    count: sealed.values.length,
    live: keys.filter((key) => isLive(key, nowMs)).length,
    keys: keys.map((key) => {
      const half = key.kind === "ed25519" ? publicHalf(key) : null;
      return {
        notAfter: isoOrNull(key.notAfterMs),
        expired: !isLive(key, nowMs),
        ...(half === null ? {} : { publicKey: publicKeyText(half) }),
      };
    }),
  };
}

/** What is sealed of `secrets`: of a key pair both halves, so that one may be shown. */
export function completed(secrets: readonly SigningSecret[], crypto: StreamCrypto): SealedSecrets {
  const sealed = sealedSecrets(secrets);
  const values = sealed.values.map((secret) => {
    const key = keyOfSecret(secret, null);
    if (key?.kind !== "ed25519") return secret;
    return wholeSecret(key, crypto.publicEd25519(privateHalf(key)));
  });
  return { ...sealed, values };
}

/** What a schema cannot say of the secrets that were sent, or of those that are kept in their place. */
export function secretFaults(
  sent: Json | undefined,
  kept: SealedSecrets | null,
  nowMs: number,
  crypto: StreamCrypto,
): Fault[] {
  const parsed = sent === undefined ? null : SigningSecrets.safeParse(sent);
  if (parsed?.success === false) return [];
  const sealed = parsed === null ? kept : sealedSecrets(parsed.data);
  if (sealed === null) return [];
  const keys = signingKeysOf(sealed);
  if (haveAllExpired(keys, nowMs)) {
    const which = sent === undefined ? "that is kept" : "of these";
    const detail = `Each secret ${which} has expired: send one that has not, or an empty list.`;
    return [{ pointer: "/secrets", code: "secrets-expired", detail }];
  }
  if (sent === undefined) return [];
  return keys.flatMap((key, index) => {
    const given = key.kind === "ed25519" ? publicHalf(key) : null;
    if (given === null || crypto.equal(given, crypto.publicEd25519(privateHalf(key)))) return [];
    const detail = "The second half of this key is not the public key of the first.";
    return [{ pointer: `/secrets/${index}`, code: "halves-differ", detail }];
  });
}
