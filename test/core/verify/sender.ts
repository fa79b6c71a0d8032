/** Signs requests as the senders document it, without the code under test. */
import { createHmac } from "node:crypto";
import type { SignedRequest, Verdict, VerifyConfig } from "../../../src/core/verify/config.ts";
import { verify } from "../../../src/core/verify/verify.ts";
import { nodeCrypto, nodeText } from "../../support/node-crypto.ts";

/** The milliseconds show that seconds are cut off, not rounded. */
export const NOW_MS = Date.UTC(2026, 10, 21, 9, 0, 0, 789);
export const NOW_SECONDS = Math.floor(NOW_MS / 1000);

export type Headers = Readonly<Record<string, string>>;
export type Body = string | Uint8Array;

export function mac(
  key: Body,
  parts: readonly Body[],
  encoding: "hex" | "base64",
  algorithm = "sha256",
): string {
  const hmac = createHmac(algorithm, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest(encoding);
}

/** The key behind a `whsec_` secret. */
export function keyOf(secret: string): Buffer {
  return Buffer.from(secret.replace(/^whsec_/, ""), "base64");
}

export const sign = {
  github: (secret: string, body: Body): Headers => ({
    "x-hub-signature-256": `sha256=${mac(secret, [body], "hex")}`,
  }),
  stripe: (secret: string, body: Body, timestamp: number | string = NOW_SECONDS): Headers => ({
    "stripe-signature": `t=${timestamp},v1=${mac(secret, [`${timestamp}.`, body], "hex")}`,
  }),
  standard: (
    secret: string,
    body: Body,
    {
      timestamp = NOW_SECONDS as number | string,
      id = "msg_1",
      brand = "webhook" as "webhook" | "svix",
    } = {},
  ): Headers => ({
    [`${brand}-id`]: id,
    [`${brand}-timestamp`]: String(timestamp),
    [`${brand}-signature`]: `v1,${mac(keyOf(secret), [`${id}.${timestamp}.`, body], "base64")}`,
  }),
  slack: (secret: string, body: Body, timestamp: number | string = NOW_SECONDS): Headers => ({
    "x-slack-request-timestamp": String(timestamp),
    "x-slack-signature": `v0=${mac(secret, [`v0:${timestamp}:`, body], "hex")}`,
  }),
  shopify: (secret: string, body: Body): Headers => ({
    "x-shopify-hmac-sha256": mac(secret, [body], "base64"),
  }),
};

export function requestOf(headers: Headers, body: Body, receivedAtMs = NOW_MS): SignedRequest {
  return {
    header: (name) => headers[name] ?? null,
    body: typeof body === "string" ? nodeText.encode(body) : body,
    receivedAtMs,
  };
}

export function verdictOf(
  config: VerifyConfig,
  headers: Headers,
  body: Body,
  receivedAtMs = NOW_MS,
): Verdict {
  return verify(config, requestOf(headers, body, receivedAtMs), nodeCrypto, nodeText);
}

export const accepted = (secretIndex: number | null = 0) => ({ ok: true, secretIndex });
export const refused = (reason: string) => ({ ok: false, reason });
