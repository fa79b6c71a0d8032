/** Keys of both kinds, and how long each signs. */
import { generateKeyPairSync, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { platformCrypto } from "../../../src/adapters/crypto.ts";
import { encodeBase64 } from "../../../src/core/bytes.ts";
import { signatureValue, signedPrefix } from "../../../src/core/deliver/signature.ts";
import {
  haveAllExpired,
  isLive,
  keyOfSecret,
  privateHalf,
  publicHalf,
  publicKeyText,
  type SigningKey,
  sealedSecrets,
  signingKeysOf,
  wholeSecret,
} from "../../../src/core/deliver/signing-keys.ts";
import { nodeText } from "../../support/node-crypto.ts";

/** The pair, the message and the signature of Svix's own tests. */
const SVIX = {
  secret:
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
  publicKey: "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  seconds: 1614265330,
  body: '{"test": 2432232314}',
  signature:
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
};

function keyOf(secret: string, notAfter: string | null = null): SigningKey {
  const key = keyOfSecret(secret, notAfter);
  if (key === null) throw new Error("no key");
  return key;
}

describe("a key pair", () => {
  it("signs as Svix does, and shows the same public key", () => {
    const key = keyOf(SVIX.secret);
    const prefix = nodeText.encode(signedPrefix(SVIX.id, SVIX.seconds));
    const body = nodeText.encode(SVIX.body);
    const signature = platformCrypto.signEd25519(privateHalf(key), prefix, body);
    expect(signatureValue(signature, "v1a")).toBe(SVIX.signature);
    expect(publicKeyText(publicHalf(key) ?? new Uint8Array())).toBe(SVIX.publicKey);
  });

  it("of its private half alone is made whole, and verified by another library", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { d = "" } = privateKey.export({ format: "jwk" });
    const half = keyOf(`whsk_${Buffer.from(d, "base64url").toString("base64")}`);
    expect(publicHalf(half)).toBeNull();
    const whole = keyOf(wholeSecret(half, platformCrypto.publicEd25519(privateHalf(half))));
    const { x = "" } = publicKey.export({ format: "jwk" });
    expect(Buffer.from(publicHalf(whole) ?? "").toString("base64url")).toBe(x);
    const message = nodeText.encode("dlv_1.1.{}");
    const signature = platformCrypto.signEd25519(privateHalf(whole), message);
    expect(verify(null, message, publicKey, signature)).toBe(true);
    expect(verify(null, nodeText.encode("dlv_2.1.{}"), publicKey, signature)).toBe(false);
  });

  it.each([
    ["nothing", "whsk_"],
    ["31 bytes", `whsk_${encodeBase64(new Uint8Array(31))}`],
    ["33 bytes", `whsk_${encodeBase64(new Uint8Array(33))}`],
    ["three halves", `whsk_${encodeBase64(new Uint8Array(96))}`],
    ["no base64", `whsk_${"-".repeat(44)}`],
    ["a public key", SVIX.publicKey],
  ])("is not %s", (_, secret) => {
    expect(keyOfSecret(secret, null)).toBeNull();
  });
});

describe("a signing key", () => {
  const [first, second] = [1, 2].map(
    (byte) => `whsec_${encodeBase64(new Uint8Array(32).fill(byte))}`,
  ) as [string, string];

  it("signs up to its time, to the millisecond, and then not any more", () => {
    const key = keyOf(first, "2026-01-01T01:00:00+01:00");
    const end = Date.UTC(2026, 0, 1);
    expect([end - 1, end, end + 1].map((nowMs) => isLive(key, nowMs))).toEqual([true, true, false]);
    expect(isLive(keyOf(first), Number.MAX_SAFE_INTEGER)).toBe(true);
  });

  it("that is the last to expire leaves none; a target without any never had one", () => {
    const sealed = sealedSecrets([
      { secret: first, notAfter: "2026-01-01T00:00:00Z" },
      { secret: second, notAfter: "2026-02-01T00:00:00Z" },
    ]);
    const keys = signingKeysOf(sealed);
    expect(haveAllExpired(keys, Date.UTC(2026, 0, 15))).toBe(false);
    expect(haveAllExpired(keys, Date.UTC(2026, 1, 2))).toBe(true);
    expect(haveAllExpired([], Date.UTC(2026, 1, 2))).toBe(false);
  });

  it("without an end is sealed as ever", () => {
    expect(sealedSecrets([first, { secret: second }])).toEqual({ values: [first, second] });
  });
});
