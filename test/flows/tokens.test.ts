/** Tokens of receivers: asked for once, held until shortly before their end, and never told to anybody else. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { ClientCredentials } from "../../src/core/deliver/token.ts";
import { createTokens, type Tokens } from "../../src/flows/tokens.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { nodeText } from "../support/node-crypto.ts";
import { consume, messageWith, rowOf } from "./consumer.ts";

const TOKEN_URL = "https://login.example.com/token";
const AUTH: ClientCredentials = {
  ...{
    scheme: "oauth2",
    tokenUrl: TOKEN_URL,
    clientId: "box 1",
    clientSecret: "s3cret:",
  },
  scope: "write read",
};

let world: World;
let tokens: Tokens;
let given: number;

const granted = (more: object = {}): Answer => {
  given += 1;
  const members = {
    access_token: `token-${given}`,
    token_type: "Bearer",
    expires_in: 3_600,
    ...more,
  };
  return { ...response(200), body: JSON.stringify(members) } as Answer;
};

beforeEach(() => {
  world = createWorld();
  tokens = createTokens();
  given = 0;
  world.transport.answer = () => granted();
});

const get = (auth = AUTH, tenant = "acme") => {
  const { clock, transport } = world;
  return clock.run(tokens.get(tenant, auth, 15_000, { clock, text: nodeText, transport }));
};
const refused = (token: string) => tokens.refused("acme", AUTH, token, world.clock);

describe("a token", () => {
  it("is asked for as RFC 6749 says", async () => {
    expect(await get()).toMatchObject({ kind: "token", token: "token-1" });
    const [{ method, url, headers, body }] = world.transport.sent as [Sent];
    expect([method, url]).toEqual(["POST", TOKEN_URL]);
    expect(headers.get("authorization")).toBe(`Basic ${btoa("box%201:s3cret%3A")}`);
    expect(headers.get("content-type")).toBe("application/x-www-form-urlencoded");
    expect([...new URLSearchParams(Buffer.from(body as Uint8Array).toString())]).toEqual([
      ["grant_type", "client_credentials"],
      ["scope", "write read"],
    ]);
  });

  it("is held until a minute before its end", async () => {
    await get();
    await world.clock.advance(3_540_000 - 1);
    expect(await get()).toMatchObject({ token: "token-1" });
    await world.clock.advance(1);
    expect(await get()).toMatchObject({ token: "token-2" });
  });

  it("that has ended when it comes is held for nobody else", async () => {
    world.transport.answer = () => granted({ expires_in: 0 });
    expect(await get()).toMatchObject({ token: "token-1" });
    expect(await get()).toMatchObject({ token: "token-2" });
  });

  it.each([null, "", undefined])("whose end is given as %j is held five minutes", async (end) => {
    world.transport.answer = () => granted({ expires_in: end });
    await get();
    await world.clock.advance(200_000);
    expect(await get()).toMatchObject({ token: "token-1" });
    await world.clock.advance(100_000);
    expect(await get()).toMatchObject({ token: "token-2" });
  });

  it("is asked for once by all who need it at one moment", async () => {
    const answers = await Promise.all([get(), get(), get()]);
    expect(new Set(answers.map((answer) => answer.kind === "token" && answer.token)).size).toBe(1);
    expect(world.transport.sent).toHaveLength(1);
  });

  it("is one tenant's, one client's and one scope's", async () => {
    await get();
    await get(AUTH, "other");
    await get({ ...AUTH, clientSecret: "another" });
    await get({ ...AUTH, scope: "read" });
    expect(world.transport.sent).toHaveLength(4);
  });

  it("that a receiver refuses is forgotten, once a minute and only if it is the one held", async () => {
    await get();
    refused("token-0");
    expect(await get()).toMatchObject({ token: "token-1" });
    refused("token-1");
    refused("token-1");
    expect(await get()).toMatchObject({ token: "token-2" });
    refused("token-2");
    expect(await get()).toMatchObject({ token: "token-2" });
    await world.clock.advance(60_000);
    refused("token-2");
    expect(await get()).toMatchObject({ token: "token-3" });
  });

  it("is not waited for longer than its time when whoever asked has ended", async () => {
    let answer: Answer | undefined;
    world.transport.answer = () => (answer === undefined ? new Promise<never>(() => {}) : answer);
    const { clock, transport } = world;
    void tokens.get("acme", AUTH, 15_000, { clock, text: nodeText, transport });
    expect(await get()).toEqual({
      kind: "failed",
      detail: "no token: another request for it is late",
      isFinal: false,
    });
    answer = granted();
    expect(await get()).toMatchObject({ kind: "token" });
  });
});

describe("no token", () => {
  it.each<[Answer, string]>([
    [
      { ...response(401), body: '{"error":"invalid_client"}' } as Answer,
      "answered 401, invalid_client",
    ],
    [{ ...response(400), body: '{"error":"s3cret"}' } as Answer, "the token endpoint answered 400"],
    [response(302), "the token endpoint answered 302"],
    [response(200), "holds no access_token"],
    [
      { ...response(200), body: '{"access_token":"a\\nb","token_type":"bearer"}' } as Answer,
      "holds no access_token",
    ],
    [
      { ...response(200), body: '{"access_token":"a","token_type":"mac"}' } as Answer,
      "no bearer token",
    ],
    [{ kind: "timeout" }, "timeout"],
    [{ kind: "network", detail: "reset" }, "network: reset"],
  ])(
    "comes of %j: it says so without a secret, and is asked for anew after a pause",
    async (answer, why) => {
      world.transport.answer = () => answer;
      const failed = await get();
      expect(failed).toMatchObject({ kind: "failed", isFinal: false });
      expect(JSON.stringify(failed)).toContain(why);
      expect(JSON.stringify(failed)).not.toContain("s3cret");
      await get();
      expect(world.transport.sent).toHaveLength(1);
      await world.clock.advance(5_000);
      world.transport.answer = () => granted();
      expect(await get()).toMatchObject({ kind: "token" });
    },
  );
});

describe("a delivery to a receiver that wants a token", () => {
  const deliver = async (key: string) => {
    await consume(world, "normal", [messageWith({ key, to: ["guarded"] })], { tokens });
    return rowOf(world, { key }, "guarded");
  };
  beforeEach(() => {
    world.tenants.put("acme", { targets: { guarded: { auth: AUTH } } });
  });

  it("brings it, and another after a 401", async () => {
    let status = 401;
    world.transport.answer = ({ url }) => (url === TOKEN_URL ? granted() : response(status));
    expect(await deliver("first")).toMatchObject({ state: "retrying", lastStatus: 401 });
    status = 200;
    expect(await deliver("second")).toMatchObject({ state: "delivered" });
    const shown = world.transport.sent.filter(({ url }) => url !== TOKEN_URL);
    expect(shown.map(({ headers }) => headers.get("authorization"))).toEqual([
      "Bearer token-1",
      "Bearer token-2",
    ]);
  });

  it("is not sent without one: it is tried again, and dead when the endpoint may not be called", async () => {
    world.transport.answer = () => response(503);
    expect(await deliver("first")).toMatchObject({
      state: "retrying",
      lastError: "network: no token: the token endpoint answered 503",
    });
    await world.clock.advance(5_000);
    world.transport.answer = () => ({ kind: "refused", detail: "a private address" });
    expect(await deliver("second")).toMatchObject({
      state: "dead",
      lastError: "refused: no token: refused: a private address",
    });
    expect(world.transport.sent.every(({ url }) => url === TOKEN_URL)).toBe(true);
    expect(JSON.stringify(world.log.lines)).not.toMatch(/s3cret|Basic/);
  });
});
