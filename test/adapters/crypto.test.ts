/** The platform's hashes and text against published vectors. */
import { describe, expect, it } from "vitest";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { encodeHex } from "../../src/core/bytes.ts";

const { hmac, sha256, equal, hmacStream, signEd25519, publicEd25519 } = platformCrypto;
const { encode, decode } = platformText;
const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const repeated = (hex: string, count: number): Uint8Array => bytes(hex.repeat(count));

/** RFC 2202 §3 for SHA-1, RFC 4231 §4 for the others: their cases 1, 2 and 6 (a key longer than a block). */
const VECTORS = [
  ["sha1", repeated("0b", 20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"],
  [
    "sha1",
    encode("Jefe"),
    "what do ya want for nothing?",
    "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
  ],
  [
    "sha1",
    repeated("aa", 80),
    "Test Using Larger Than Block-Size Key - Hash Key First",
    "aa4ae5e15272d00e95705637ce8a3b55ed402112",
  ],
  [
    "sha256",
    repeated("0b", 20),
    "Hi There",
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
  ],
  [
    "sha256",
    encode("Jefe"),
    "what do ya want for nothing?",
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  ],
  [
    "sha256",
    repeated("aa", 131),
    "Test Using Larger Than Block-Size Key - Hash Key First",
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
  ],
  [
    "sha512",
    repeated("0b", 20),
    "Hi There",
    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
  ],
  [
    "sha512",
    encode("Jefe"),
    "what do ya want for nothing?",
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
  ],
] as const;

describe("an HMAC", () => {
  it.each(VECTORS)(
    "with %s is the published one, whole or in parts",
    (algorithm, key, data, mac) => {
      const message = encode(data);
      expect(encodeHex(hmac(algorithm, key, message))).toBe(mac);
      const [head, none, tail] = [message.subarray(0, 3), new Uint8Array(), message.subarray(3)];
      expect(encodeHex(hmac(algorithm, key, head, none, tail))).toBe(mac);
    },
  );

  it("over a stream is the one over its bytes", () => {
    const key = encode("Jefe");
    const stream = hmacStream("sha256", key);
    for (const part of ["what do ya ", "", "want for nothing?"]) stream.update(encode(part));
    const whole = hmac("sha256", key, encode("what do ya want for nothing?"));
    expect(encodeHex(stream.digest())).toBe(encodeHex(whole));
  });
});

describe("an Ed25519 signature", () => {
  /** RFC 8032, §7.1, tests 1 and 3. */
  it.each([
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
  ])("by %s is the published one, whole or in parts", (key, half, message, signature) => {
    const data = bytes(message);
    expect(encodeHex(publicEd25519(bytes(key)))).toBe(half);
    expect(encodeHex(signEd25519(bytes(key), data))).toBe(signature);
    const parts = [data.subarray(0, 1), new Uint8Array(), data.subarray(1)];
    expect(encodeHex(signEd25519(bytes(key), ...parts))).toBe(signature);
  });

  it("is refused a key that is none", () => {
    expect(() => signEd25519(bytes("9d61"), bytes("00"))).toThrow();
  });
});

describe("SHA-256", () => {
  /** FIPS 180-4, and NIST's example of two blocks. */
  it.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("of %j is the published one, whole or in parts", (text, digest) => {
    const message = encode(text);
    expect(encodeHex(sha256(message))).toBe(digest);
    expect(encodeHex(sha256(message.subarray(0, 1), message.subarray(1)))).toBe(digest);
  });
});

describe("a comparison", () => {
  it("is true for equal bytes and refuses all others, of any length", () => {
    expect(equal(bytes("00ff"), bytes("00ff"))).toBe(true);
    expect(equal(new Uint8Array(), new Uint8Array())).toBe(true);
    for (const other of ["00fe", "80ff", "00", "00ff00", ""]) {
      expect(equal(bytes("00ff"), bytes(other))).toBe(false);
    }
  });

  it("goes by the bytes seen, not by the buffer behind them", () => {
    const buffer = bytes("aa00ffbb");
    expect(equal(buffer.subarray(1, 3), bytes("00ff"))).toBe(true);
    expect(equal(buffer.subarray(0, 2), bytes("00ff"))).toBe(false);
  });
});

describe("text", () => {
  it.each(["", "plain", "grün 🟢 \u0000", "\uFEFFmarked", "\uFFFD"])(
    "%j comes back as it was",
    (text) => {
      expect(decode(encode(text))).toBe(text);
    },
  );

  it.each([
    ["a byte that starts nothing", "ff"],
    ["a sequence cut short", "e282"],
    ["an overlong form", "c0af"],
    ["an encoded surrogate", "eda080"],
    ["a code point that does not exist", "f4908080"],
  ])("refuses %s instead of replacing it", (_, hex) => {
    expect(decode(bytes(hex))).toBeNull();
  });

  it("replaces a lone surrogate, which has no bytes", () => {
    expect(encodeHex(encode("\ud800"))).toBe("efbfbd");
  });
});
