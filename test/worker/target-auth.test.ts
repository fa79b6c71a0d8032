/** Receivers that want to know who calls: what they are shown, and what nobody else is. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const BEARER = { scheme: "bearer", token: "s3cret-token" };
const BASIC = { scheme: "basic", username: "box", password: "s3cret pass" };
const KEY = { scheme: "api-key", header: "X-Pass", key: "s3cret-key" };
const OAUTH = {
  ...{ scheme: "oauth2", tokenUrl: "http://127.0.0.1:9/", clientId: "box", clientSecret: "s3cret" },
};

/** A tenant with one target, and what its receiver was shown last under `name`. */
async function tenantWith(id: string, auth: Readonly<Record<string, string>>) {
  const receiver = await receiverHere();
  const tenant = await prepareTenant(router, id, { hook: { url: receiver.url, auth } });
  const path = `${tenant.path}/targets/hook`;
  return {
    path,
    body: { kind: "http", url: receiver.url },
    put: (body: object) => router.admin.request("PUT", path, body),
    async failed(state: string) {
      const { id: event } = await tenant.send("hook");
      return (await tenant.delivery(event, "hook", state)).lastError;
    },
    async shown(name: string) {
      const { id: event } = await tenant.send("hook");
      await tenant.delivery(event, "hook", "delivered");
      return receiver.received.at(-1)?.headers[name];
    },
  };
}

describe("a target's auth", () => {
  it.each([
    [BEARER, { scheme: "bearer" }, "authorization", "Bearer s3cret-token"],
    [
      BASIC,
      { scheme: "basic", username: "box" },
      "authorization",
      `Basic ${btoa("box:s3cret pass")}`,
    ],
    [KEY, { scheme: "api-key", header: "X-Pass" }, "x-pass", "s3cret-key"],
  ])("%j reaches the receiver, and a read shows %j", async (auth, read, name, value) => {
    const { path, shown } = await tenantWith(`shows-${auth.scheme}`, auth);
    expect(await shown(name)).toBe(value);
    const { body } = await router.admin.get(path);
    expect(body.auth).toEqual(read);
    expect(JSON.stringify(body)).not.toContain("s3cret");
  });

  it("is kept by a PUT that leaves it or its secret out, and goes with none", async () => {
    const { path, body, put, shown } = await tenantWith("keeps", BASIC);
    await put({ ...body, timeoutMs: 5_000 });
    expect(await shown("authorization")).toBe(`Basic ${btoa("box:s3cret pass")}`);
    const { secrets: _, ...copy } = (await router.admin.get(path)).body;
    await put({ ...copy, auth: { scheme: "basic", username: "other" } });
    expect(await shown("authorization")).toBe(`Basic ${btoa("other:s3cret pass")}`);
    await put({ ...body, auth: { scheme: "none" } });
    expect(await shown("authorization")).toBeUndefined();
    expect((await router.admin.get(path)).body.auth).toBeUndefined();
    await put(body);
    expect(await shown("authorization")).toBeUndefined();
  });

  it("of OAuth gets a token first, keeps its client's secret, and fails with its endpoint", async () => {
    let status = 200;
    const login = await receiverHere((request, response) => {
      const isClient = request.headers.authorization === `Basic ${btoa("box:s3cret-client")}`;
      response.statusCode = isClient ? status : 401;
      const token = { access_token: `token-of-${request.body}`, token_type: "bearer" };
      response.end(JSON.stringify({ ...token, error: "invalid_client" }));
    });
    const client = { scheme: "oauth2", tokenUrl: login.url, clientId: "box" };
    const auth = { ...client, clientSecret: "s3cret-client" };
    const { path, body, put, shown, failed } = await tenantWith("oauth", auth);
    expect(await shown("authorization")).toBe("Bearer token-of-grant_type=client_credentials");
    expect((await router.admin.get(path)).body.auth).toEqual(client);
    await put({ ...body, auth: { ...client, scope: "write" } });
    expect(await shown("authorization")).toMatch(/&scope=write$/);
    expect(login.received).toHaveLength(2);
    status = 503;
    await put({ ...body, auth: { ...client, scope: "other" }, retry: { delaysSeconds: [600] } });
    expect(await failed("retrying")).toBe(
      "network: no token: the token endpoint answered 503, invalid_client",
    );
  });

  it("of another scheme is refused without its own secret", async () => {
    const { body, put } = await tenantWith("other-scheme", BASIC);
    expect(await put({ ...body, auth: { scheme: "bearer" } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/auth/token", code: "missing" }] },
    });
  });

  it("is refused beside a header of the same name, sent or kept", async () => {
    const { body, put } = await tenantWith("twice", { scheme: "none" });
    const both = { ...body, headers: { AUTHORIZATION: "x", "x-other": "y" }, auth: BEARER };
    expect(await put(both)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/headers/AUTHORIZATION", code: "header-twice" }] },
    });
    expect((await put({ ...both, auth: KEY })).status).toBe(200);
    expect((await put({ ...body, headers: { "x-pass": "y" } })).body.errors).toMatchObject([
      { pointer: "/headers/x-pass", code: "header-twice" },
    ]);
    expect((await put({ ...body, auth: BEARER })).body.errors).toMatchObject([
      { pointer: "/auth", code: "header-twice", detail: expect.stringMatching(/"authorization"/) },
    ]);
    expect((await put({ ...body, headers: {}, auth: BEARER })).status).toBe(200);
  });

  it.each([
    ["a scheme that there is not", { scheme: "digest" }, "/auth/scheme"],
    ["a token with a line break", { scheme: "bearer", token: "a\r\nx: y" }, "/auth/token"],
    ["a token of nothing", { scheme: "bearer", token: "" }, "/auth/token"],
    ["a key with an edge of space", { ...KEY, key: "key " }, "/auth/key"],
    ["a user name with a colon", { ...BASIC, username: "a:b" }, "/auth/username"],
    ["a password with a control character", { ...BASIC, password: "a\u0000" }, "/auth/password"],
    ["a header of the router", { ...KEY, header: "webhook-id" }, "/auth/header"],
    ["a scope of two spaces", { ...OAUTH, scope: "a  b" }, "/auth/scope"],
    ["a client without a secret", { ...OAUTH, clientSecret: undefined }, "/auth/clientSecret"],
    ["a token address that is none", { ...OAUTH, tokenUrl: "login" }, "/auth/tokenUrl"],
    ["a member of another scheme", { ...BEARER, username: "a" }, "/auth/username"],
  ])("is refused with %s", async (what, auth, pointer) => {
    const url = "http://127.0.0.1:9/";
    await router.admin.put("tenants/refusals", {});
    const path = `tenants/refusals/targets/${what.replaceAll(" ", "-")}`;
    expect(await router.admin.request("PUT", path, { kind: "http", url, auth })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer }] },
    });
  });
});
