/** What the schemes that are no preset accept and refuse. */
import { describe, expect, it } from "vitest";
import type { VerifyConfig } from "../../../src/core/verify/config.ts";
import { accepted, type Headers, mac, refused, verdictOf } from "./sender.ts";

const BODY = '{"amount":1}';

describe("none", () => {
  it("accepts anything and names no secret", () => {
    expect(verdictOf({ scheme: "none" }, {}, BODY)).toEqual(accepted(null));
  });
});

describe("hmac", () => {
  const config = (more: object = {}): VerifyConfig => ({
    scheme: "hmac",
    header: "X-Acme-Signature",
    algorithm: "sha256",
    encoding: "hex",
    secrets: ["s3cret"],
    ...more,
  });
  const verdict = (value: string, more: object = {}) =>
    verdictOf(config(more), { "x-acme-signature": value }, BODY);

  it.each(["sha1", "sha256", "sha512"])("accepts %s in hex and in base64", (algorithm) => {
    for (const encoding of ["hex", "base64"] as const) {
      const value = mac("s3cret", [BODY], encoding, algorithm);
      expect(verdict(value, { algorithm, encoding })).toEqual(accepted());
    }
  });

  it("accepts a prefix and a second secret", () => {
    const value = `hmac ${mac("new", [BODY], "hex")}`;
    const more = { prefix: "hmac ", secrets: ["old", "new"] };
    expect(verdict(value, more)).toEqual(accepted(1));
  });

  it("refuses a configured prefix that is absent, and a prefix that was not configured", () => {
    const value = mac("s3cret", [BODY], "hex");
    expect(verdict(value, { prefix: "sha256=" })).toEqual(refused("no-match"));
    expect(verdict(`sha256=${value}`)).toEqual(refused("no-match"));
  });

  it("refuses a weaker algorithm or another encoding than the configured one", () => {
    expect(verdict(mac("s3cret", [BODY], "hex", "sha1"))).toEqual(refused("no-match"));
    expect(verdict(mac("s3cret", [BODY], "base64"))).toEqual(refused("no-match"));
  });

  it("refuses an empty secret and a request without the header", () => {
    expect(verdict(mac("", [BODY], "hex"), { secrets: [""] })).toEqual(refused("no-match"));
    expect(verdictOf(config(), {}, BODY)).toEqual(refused("missing-header"));
  });
});

describe("basic", () => {
  const verdict = (headers: Headers, password = "pass:wörd:") =>
    verdictOf({ scheme: "basic", username: "acme", password }, headers, BODY);
  const basic = (pair: string, scheme = "Basic") => ({
    authorization: `${scheme} ${Buffer.from(pair).toString("base64")}`,
  });

  it("accepts a password with colons and other than ASCII, and the scheme in any case", () => {
    for (const scheme of ["Basic", "basic", "BASIC", "Basic "]) {
      expect(verdict(basic("acme:pass:wörd:", scheme))).toEqual(accepted());
    }
  });

  it("refuses another name, another password and a part of it", () => {
    for (const pair of ["acme:pass", "acme:pass:wörd", "Acme:pass:wörd:", ":pass:wörd:", "acme"]) {
      expect(verdict(basic(pair))).toEqual(refused("no-match"));
    }
  });

  it("refuses other schemes, bare credentials and a missing header", () => {
    const { authorization: value } = basic("acme:pass:wörd:", "");
    expect(verdict(basic("acme:pass:wörd:", "Bearer"))).toEqual(refused("no-match"));
    expect(verdict({ authorization: value.trim() })).toEqual(refused("no-match"));
    expect(verdict({ authorization: "Basic" })).toEqual(refused("no-match"));
    expect(verdict({})).toEqual(refused("missing-header"));
  });

  it("refuses an empty password, even from who sends one", () => {
    expect(verdict(basic("acme:"), "")).toEqual(refused("no-match"));
  });
});

describe("api-key", () => {
  const verdict = (headers: Headers, header = "X-Api-Key", keys = ["first-key", "second-key"]) =>
    verdictOf({ scheme: "api-key", header, keys }, headers, BODY);

  it("accepts each key in the configured header", () => {
    expect(verdict({ "x-api-key": "first-key" })).toEqual(accepted(0));
    expect(verdict({ "x-api-key": "second-key" })).toEqual(accepted(1));
  });

  it("accepts a bearer token when the header is authorization", () => {
    for (const value of ["Bearer second-key", "bearer  second-key", "second-key"]) {
      expect(verdict({ authorization: value }, "Authorization")).toEqual(accepted(1));
    }
    const whole = ["Bearer whole"];
    expect(verdict({ authorization: "Bearer whole" }, "authorization", whole)).toEqual(accepted(0));
  });

  it("refuses a bearer token in any other header", () => {
    expect(verdict({ "x-api-key": "Bearer first-key" })).toEqual(refused("no-match"));
  });

  it("refuses a part of a key, another case and two keys at once", () => {
    for (const key of ["first", "FIRST-KEY", "first-key ", "first-key, second-key"]) {
      expect(verdict({ "x-api-key": key })).toEqual(refused("no-match"));
    }
  });

  it("refuses a missing header and, if no key is set or it is blank, every request", () => {
    expect(verdict({})).toEqual(refused("missing-header"));
    expect(verdict({ "x-api-key": "" }, "x-api-key", [""])).toEqual(refused("missing-header"));
    expect(verdict({ "x-api-key": " " }, "x-api-key", [" "])).toEqual(refused("no-match"));
    expect(verdict({ "x-api-key": "first-key" }, "x-api-key", [])).toEqual(refused("no-match"));
    expect(verdict({ authorization: "Bearer " }, "authorization", [""])).toEqual(
      refused("no-match"),
    );
  });
});
