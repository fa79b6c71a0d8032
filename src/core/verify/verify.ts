/** Is this request from the sender it claims to be? One scheme per source, never a weaker one. */
import type { Crypto, Text } from "../crypto.ts";
import type { SignedRequest, Verdict, VerifyConfig } from "./config.ts";
import { verifyApiKey, verifyBasic } from "./credential.ts";
import { presets } from "./presets.ts";
import { verifySignature } from "./signature.ts";

export type { SignedRequest, Verdict, VerifyConfig } from "./config.ts";

/**
 * The verdict on one request. Only the headers of the configured scheme are looked at; a secret
 * that is empty or cannot be decoded verifies nothing.
 */
export function verify(
  config: VerifyConfig,
  request: SignedRequest,
  crypto: Crypto,
  text: Text,
): Verdict {
  switch (config.scheme) {
    case "none":
      return { ok: true, secretIndex: null };
    case "basic":
      return verifyBasic(config, request, crypto, text);
    case "api-key":
      return verifyApiKey(config, request, crypto, text);
    case "hmac":
      return verifySignature(formatOf(config), config, request, crypto, text);
    default:
      return verifySignature(presets[config.scheme], config, request, crypto, text);
  }
}

function formatOf(config: Extract<VerifyConfig, { scheme: "hmac" }>) {
  return {
    headers: [{ signature: config.header.toLowerCase() }],
    algorithm: config.algorithm,
    encoding: config.encoding,
    prefix: config.prefix ?? "",
    signed: "{body}",
    secret: "text",
  } as const;
}
