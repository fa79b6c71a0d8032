/** Checks an HMAC signature of any format: every secret against every signature, then the clock. */
import { encodeBase64, encodeHex } from "../bytes.ts";
import type { Crypto, Text } from "../crypto.ts";
import { webhookSecretBytes } from "../webhook-secret.ts";
import type { SignedRequest, Verdict } from "./config.ts";
import { type SignatureFormat, signatureHeaders } from "./presets.ts";

/** Stripe, Slack and Standard Webhooks all advise five minutes. */
const TOLERANCE_SECONDS_DEFAULT = 300;

interface Accepted {
  readonly secrets: readonly string[];
  readonly toleranceSeconds?: number | undefined;
}

/**
 * Whether the request carries a genuine signature that is neither too old nor from the future.
 *
 * The signature comes first: "timestamp-old" and "timestamp-new" are said only of a genuine
 * request, so they point at a replay or a wrong clock, and tell a stranger nothing.
 */
export function verifySignature(
  format: SignatureFormat,
  accepted: Accepted,
  request: SignedRequest,
  crypto: Crypto,
  text: Text,
): Verdict {
  const claim = readClaim(format, request);
  if (claim === null) return { ok: false, reason: "missing-header" };
  if (!isWellFormed(claim)) return { ok: false, reason: "no-match" };

  const message = signedParts(format.signed, claim, request.body, text);
  const given = claim.signatures.map((signature) => text.encode(signature));
  const secretIndex = matchingSecret(format, accepted.secrets, message, given, crypto, text);
  if (secretIndex === null) return { ok: false, reason: "no-match" };

  if (claim.timestamp !== null) {
    const tolerance = accepted.toleranceSeconds ?? TOLERANCE_SECONDS_DEFAULT;
    const age = Math.floor(request.receivedAtMs / 1000) - Number(claim.timestamp);
    if (age > tolerance) return { ok: false, reason: "timestamp-old" };
    if (age < -tolerance) return { ok: false, reason: "timestamp-new" };
  }
  return { ok: true, secretIndex };
}

/** The key that a secret stands for; null for a secret that must never verify anything. */
export function signingKey(
  kind: SignatureFormat["secret"],
  secret: string,
  text: Text,
): Uint8Array | null {
  if (secret.trim() === "") return null;
  return kind === "text" ? text.encode(secret) : webhookSecretBytes(secret);
}

interface Claim {
  readonly signatures: readonly string[];
  /** As it was written, for that is what is signed; null in formats without one. */
  readonly timestamp: string | null;
  readonly id: string | null;
}

function readClaim(format: SignatureFormat, request: SignedRequest): Claim | null {
  const names = signatureHeaders(format, request.header);
  if (names === null) return null;
  const value = request.header(names.signature) ?? "";
  const items = format.separator === undefined ? [value] : value.split(format.separator);
  const after = (prefix: string) =>
    items.filter((item) => item.startsWith(prefix)).map((item) => item.slice(prefix.length));

  const id = names.id === undefined ? null : request.header(names.id);
  let timestamp = names.timestamp === undefined ? null : request.header(names.timestamp);
  if ((names.id !== undefined && !id) || (names.timestamp !== undefined && !timestamp)) return null;
  if (format.timestampPrefix !== undefined) timestamp = after(format.timestampPrefix).at(-1) ?? "";
  return { signatures: after(format.prefix), timestamp, id };
}

/** Plain decimal seconds: what `parseInt` would also take is not what the sender signed. */
const UNIX_SECONDS = /^(0|[1-9][0-9]{0,14})$/;

/**
 * An id with a "." could be cut elsewhere: `a.1` + `.2.body` and `a` + `.1.2.body` sign the same
 * bytes (Standard Webhooks, "Signature scheme").
 */
function isWellFormed(claim: Claim): boolean {
  return (
    (claim.timestamp === null || UNIX_SECONDS.test(claim.timestamp)) && !claim.id?.includes(".")
  );
}

function signedParts(template: string, claim: Claim, body: Uint8Array, text: Text): Uint8Array[] {
  const parts = template.split(/(\{[a-z]+\})/).filter((part) => part !== "");
  return parts.map((part) => {
    if (part === "{body}") return body;
    if (part === "{timestamp}") return text.encode(claim.timestamp ?? "");
    if (part === "{id}") return text.encode(claim.id ?? "");
    return text.encode(part);
  });
}

/**
 * Compares encoded signatures, so that each digest has exactly one accepted spelling, and never
 * stops early, so that the time taken does not tell which secret matched.
 */
function matchingSecret(
  format: SignatureFormat,
  secrets: readonly string[],
  message: readonly Uint8Array[],
  given: readonly Uint8Array[],
  crypto: Crypto,
  text: Text,
): number | null {
  const encode = format.encoding === "hex" ? encodeHex : encodeBase64;
  let found: number | null = null;
  for (const [index, secret] of secrets.entries()) {
    const key = signingKey(format.secret, secret, text);
    if (key === null) continue;
    const expected = text.encode(encode(crypto.hmac(format.algorithm, key, ...message)));
    for (const signature of given) {
      if (crypto.equal(signature, expected)) found ??= index;
    }
  }
  return found;
}
