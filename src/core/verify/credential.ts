/** Checks a credential that is sent as it is: HTTP Basic and API keys. */
import { encodeBase64 } from "../bytes.ts";
import type { Crypto, Text } from "../crypto.ts";
import type { SignedRequest, Verdict } from "./config.ts";

/**
 * HTTP Basic (RFC 7617). The expected header is built and compared, so nothing has to be taken
 * apart and a ":" in the password is a character like any other.
 */
export function verifyBasic(
  config: { readonly username: string; readonly password: string },
  request: SignedRequest,
  crypto: Crypto,
  text: Text,
): Verdict {
  const given = request.header("authorization");
  if (!given) return { ok: false, reason: "missing-header" };
  const pair = text.encode(`${config.username}:${config.password}`);
  const matches = isSame(withoutScheme(given, "basic"), encodeBase64(pair), crypto, text);
  return matches && !isBlank(config.password)
    ? { ok: true, secretIndex: 0 }
    : { ok: false, reason: "no-match" };
}

/** An API key in the source's header; in `authorization` also as `Bearer <key>` (RFC 6750). */
export function verifyApiKey(
  config: { readonly header: string; readonly keys: readonly string[] },
  request: SignedRequest,
  crypto: Crypto,
  text: Text,
): Verdict {
  const name = config.header.toLowerCase();
  const given = request.header(name);
  if (!given) return { ok: false, reason: "missing-header" };
  const bearer = name === "authorization" ? withoutScheme(given, "bearer") : null;
  let found: number | null = null;
  for (const [index, key] of config.keys.entries()) {
    const matches = isSame(given, key, crypto, text) || isSame(bearer, key, crypto, text);
    if (matches && !isBlank(key)) found ??= index;
  }
  return found === null ? { ok: false, reason: "no-match" } : { ok: true, secretIndex: found };
}

/** What follows the scheme, whose case does not matter (RFC 9110 §11.1); null for another. */
function withoutScheme(value: string, scheme: string): string | null {
  const [name = "", ...rest] = value.split(" ");
  return name.toLowerCase() === scheme && rest.length > 0 ? rest.join(" ").trimStart() : null;
}

/** Compares hashes, so that the time taken does not tell the length of the secret either. */
function isSame(given: string | null, expected: string, crypto: Crypto, text: Text): boolean {
  if (given === null) return false;
  return crypto.equal(crypto.sha256(text.encode(given)), crypto.sha256(text.encode(expected)));
}

function isBlank(secret: string): boolean {
  return secret.trim() === "";
}
