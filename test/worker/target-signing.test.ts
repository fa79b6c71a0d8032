/** Secrets that end, and key pairs: what receivers get, and what operators see of them. */
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant, type TargetFields } from "../support/tenant.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const [NEW, OLD] = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`) as [
  string,
  string,
];
const LONG_AGO = "2020-01-01T00:00:00Z";
const FAR_AHEAD = "2100-01-01T01:00:00+01:00";

async function tenantWith(id: string, secrets: NonNullable<TargetFields["secrets"]>) {
  const receiver = await receiverHere();
  const tenant = await prepareTenant(router, id, { hook: { url: receiver.url, secrets } });
  return {
    path: `${tenant.path}/targets/hook`,
    body: { kind: "http", url: receiver.url },
    async received() {
      const { id: event } = await tenant.send("hook");
      await tenant.delivery(event, "hook", "delivered");
      const last = receiver.received.at(-1);
      if (last === undefined) throw new Error("nothing was received");
      const headers = last.headers as Record<string, string>;
      return { headers, body: last.body.toString(), signed: headers["webhook-signature"] ?? "" };
    },
  };
}

describe("secrets that end", () => {
  it("sign until then: one signature for each that is live, and a read tells them apart", async () => {
    const { path, body, received } = await tenantWith("turns", [
      NEW,
      { secret: OLD, notAfter: FAR_AHEAD },
    ]);
    const both = await received();
    expect(both.signed.split(" ")).toHaveLength(2);
    for (const secret of [NEW, OLD]) new Webhook(secret).verify(both.body, both.headers);
    const ended = { secret: OLD, notAfter: LONG_AGO };
    await router.admin.put(path, { ...body, secrets: [NEW, ended] });
    const one = await received();
    expect(one.signed.split(" ")).toHaveLength(1);
    new Webhook(NEW).verify(one.body, one.headers);
    expect(() => new Webhook(OLD).verify(one.body, one.headers)).toThrow();
    expect((await router.admin.get(path)).body.secrets).toEqual({
      count: 2,
      live: 1,
      keys: [
        { notAfter: null, expired: false },
        { notAfter: "2020-01-01T00:00:00.000Z", expired: true },
      ],
    });
  });

  it("are kept with their ends by a PUT that leaves them out", async () => {
    const { path, body } = await tenantWith("keeps", [{ secret: NEW, notAfter: FAR_AHEAD }]);
    await router.admin.put(path, { ...body, timeoutMs: 5_000 });
    expect((await router.admin.get(path)).body.secrets).toEqual({
      ...{ count: 1, live: 1 },
      keys: [{ notAfter: "2100-01-01T00:00:00.000Z", expired: false }],
    });
  });
});

describe("a key pair", () => {
  it("signs so that the public key of a read verifies it, given whole or by half", async () => {
    const { d = "", x = "" } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
    const [half, other] = [d, x].map((part) => Buffer.from(part, "base64url"));
    const whole = Buffer.concat([half ?? "", other ?? ""].map((part) => Buffer.from(part)));
    for (const [at, key] of [half, whole].entries()) {
      const { path, received } = await tenantWith(`pair-${at}`, [
        `whsk_${key?.toString("base64")}`,
        NEW,
      ]);
      const shown = (await router.admin.get(path)).body.secrets;
      expect(shown.keys[0].publicKey).toBe(`whpk_${other?.toString("base64")}`);
      expect(JSON.stringify(shown)).not.toContain("whsk_");
      const raw = Buffer.from(shown.keys[0].publicKey.slice(5), "base64").toString("base64url");
      const jwk = { kty: "OKP", crv: "Ed25519", x: raw };
      const publicKey = createPublicKey({ key: jwk, format: "jwk" });
      const { headers, body, signed } = await received();
      const [pairs = "", secrets] = signed.split(" ");
      expect([pairs.slice(0, 4), secrets?.slice(0, 3)]).toEqual(["v1a,", "v1,"]);
      const signature = Buffer.from(pairs.slice(4), "base64");
      const text = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
      expect(verify(null, Buffer.from(text), publicKey, signature)).toBe(true);
      expect(verify(null, Buffer.from(`${text} `), publicKey, signature)).toBe(false);
    }
  });
});

describe("secrets are refused", () => {
  it.each<[string, unknown, object]>([
    [
      "when each has expired",
      [
        { secret: NEW, notAfter: LONG_AGO },
        { secret: OLD, notAfter: LONG_AGO },
      ],
      { pointer: "/secrets", code: "secrets-expired" },
    ],
    [
      "with an end that is no time",
      [{ secret: NEW, notAfter: "tomorrow" }],
      { pointer: "/secrets/0/notAfter" },
    ],
    [
      "with an end and no secret",
      [{ notAfter: FAR_AHEAD }],
      { pointer: "/secrets/0", code: "no-form-fits" },
    ],
    [
      "with a member that there is not",
      [{ secret: NEW, from: FAR_AHEAD }],
      { pointer: "/secrets/0/from" },
    ],
    ["as a public key", [`whpk_${Buffer.alloc(32).toString("base64")}`], { pointer: "/secrets/0" }],
    [
      "as a pair whose halves are of two",
      [NEW, `whsk_${Buffer.alloc(64, 1).toString("base64")}`],
      { pointer: "/secrets/1", code: "halves-differ" },
    ],
  ])("%s", async (what, secrets, error) => {
    await router.admin.put("tenants/refusals", {});
    const path = `tenants/refusals/targets/${what.replaceAll(" ", "-")}`;
    const target = { kind: "http", url: "http://127.0.0.1:9/", secrets };
    expect(await router.admin.request("PUT", path, target)).toMatchObject({
      status: 422,
      body: { errors: [error] },
    });
  });
});
