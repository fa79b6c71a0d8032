/** What we sign, against the SDK that receivers use. */
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { encodeBase64 } from "../../../src/core/bytes.ts";
import { signatureValue, signedPrefix, signingKey } from "../../../src/core/deliver/signature.ts";
import { nodeCrypto, nodeText } from "../../support/node-crypto.ts";

const key = fc.uint8Array({ minLength: 24, maxLength: 64 });
const id = fc.stringMatching(/^dlv_[0-9a-z]{39}$/);
const body = fc.string();

/** As `src/flows/deliver.ts` does it. */
function sign(
  secret: string,
  deliveryId: string,
  timestampSeconds: number,
  payload: string,
): string {
  const bytes = signingKey(secret);
  if (bytes === null) throw new Error("no signing key");
  const prefix = nodeText.encode(signedPrefix(deliveryId, timestampSeconds));
  return signatureValue(nodeCrypto.hmac("sha256", bytes, prefix, nodeText.encode(payload)));
}

const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

describe("a signature", () => {
  it("is the one the Standard Webhooks SDK makes", () => {
    fc.assert(
      fc.property(key, id, fc.nat({ max: 4e9 }), body, (bytes, deliveryId, seconds, payload) => {
        const secret = `whsec_${encodeBase64(bytes)}`;
        const theirs = new Webhook(secret).sign(deliveryId, new Date(seconds * 1_000), payload);
        expect(sign(secret, deliveryId, seconds, payload)).toBe(theirs);
      }),
    );
  });

  it("is accepted by the SDK beside that of an older secret", () => {
    const secrets = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)].map(
      (bytes) => `whsec_${encodeBase64(bytes)}`,
    );
    const seconds = nowSeconds();
    const payload = '{"a":1}';
    const headers = {
      "webhook-id": "dlv_1",
      "webhook-timestamp": String(seconds),
      "webhook-signature": secrets.map((each) => sign(each, "dlv_1", seconds, payload)).join(" "),
    };
    for (const secret of secrets) {
      expect(new Webhook(secret).verify(payload, headers)).toEqual({ a: 1 });
    }
  });

  it("is refused by the SDK for another body, id or time", () => {
    const secret = `whsec_${encodeBase64(new Uint8Array(32).fill(1))}`;
    const seconds = nowSeconds();
    const signature = sign(secret, "dlv_1", seconds, "{}");
    const verify = (payload: string, more: object) => () =>
      new Webhook(secret).verify(payload, {
        "webhook-id": "dlv_1",
        "webhook-timestamp": String(seconds),
        "webhook-signature": signature,
        ...more,
      });
    expect(verify("{}", {})).not.toThrow();
    expect(verify("[]", {})).toThrow("No matching signature");
    expect(verify("{}", { "webhook-id": "dlv_2" })).toThrow("No matching signature");
    expect(verify("{}", { "webhook-timestamp": String(seconds - 1) })).toThrow(
      "No matching signature",
    );
  });
});

describe("a signing secret", () => {
  it("is base64 with or without its prefix", () => {
    fc.assert(
      fc.property(key, (bytes) => {
        expect(signingKey(`whsec_${encodeBase64(bytes)}`)).toEqual(bytes);
        expect(signingKey(encodeBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each([
    ["nothing", ""],
    ["a prefix alone", "whsec_"],
    ["no base64", "whsec_not base64 at all, but long enough to be"],
    ["23 bytes", `whsec_${encodeBase64(new Uint8Array(23))}`],
    ["65 bytes", `whsec_${encodeBase64(new Uint8Array(65))}`],
    ["an asymmetric key", `whsk_${encodeBase64(new Uint8Array(64))}`],
    ["the url-safe alphabet", "whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_"],
  ])("is not %s", (_, secret) => {
    expect(signingKey(secret)).toBeNull();
  });
});
