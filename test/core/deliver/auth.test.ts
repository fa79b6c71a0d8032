/** The header by which a receiver knows who calls. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  authHeaderName,
  authHeaderValue,
  authOf,
  secretMemberOf,
  storeAuth,
  type TargetAuth,
} from "../../../src/core/deliver/auth.ts";
import { nodeText } from "../../support/node-crypto.ts";

/** Nowhere but where a secret stands. */
const secret = fc.uuid().map((id) => `s3cret-${id}`);
const auth: fc.Arbitrary<TargetAuth> = fc.oneof(
  fc.record({ scheme: fc.constant("bearer" as const), token: secret }),
  fc.record({ scheme: fc.constant("basic" as const), username: fc.string(), password: secret }),
  fc.record({ scheme: fc.constant("api-key" as const), header: fc.string(), key: secret }),
  fc.record(
    {
      scheme: fc.constant("oauth2" as const),
      ...{ tokenUrl: fc.webUrl(), clientId: fc.string(), clientSecret: secret, scope: fc.string() },
    },
    { requiredKeys: ["scheme", "tokenUrl", "clientId", "clientSecret"] },
  ),
);

describe("what proves who calls", () => {
  it.each<[Parameters<typeof authHeaderValue>[0], string, string]>([
    [{ scheme: "bearer", token: "t0ken" }, "authorization", "Bearer t0ken"],
    // RFC 7617, §2 and §2.1: their own examples.
    [
      { scheme: "basic", username: "Aladdin", password: "open sesame" },
      "authorization",
      "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    ],
    [
      { scheme: "basic", username: "test", password: "123£" },
      "authorization",
      "Basic dGVzdDoxMjPCow==",
    ],
    [{ scheme: "api-key", header: "X-Pass", key: "k 1" }, "x-pass", "k 1"],
  ])("of %j is one header", (each, name, value) => {
    expect([authHeaderName(each), authHeaderValue(each, nodeText)]).toEqual([name, value]);
  });

  it("comes back from the store, which shows nothing of its secret", () => {
    fc.assert(
      fc.property(auth, (each) => {
        const { open, secret } = storeAuth(each);
        expect(JSON.stringify(open)).not.toContain("s3cret-");
        expect(open.scheme).toBe(each.scheme);
        expect(authOf(open, secret)).toEqual(each);
      }),
    );
  });

  it.each([undefined, null, 1, "none", "toString", {}])(
    "has no secret with scheme %j",
    (scheme) => {
      expect(secretMemberOf(scheme)).toBeNull();
    },
  );
});
