/** Bodies sent to the admin routes: each fault is named by its place, all at once, and nothing is saved. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await router.admin.put("tenants/acme", {});
  await router.admin.put("tenants/acme/targets/sink", { kind: "http", url: "http://127.0.0.1:9/" });
});
afterAll(() => router?.stop());

const put = (path: string, body: RequestInit["body"]) =>
  problemOf(
    fetch(`${router.url}/admin/tenants/acme/${path}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` },
      body: body ?? null,
    }),
  );
const putJson = (path: string, body: unknown) => put(path, JSON.stringify(body));

/** Where the faults are, in any order. */
async function faultsOf(path: string, body: unknown): Promise<string[]> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const { status, slug, errors = [] } = await put(path, text);
  expect({ status, slug }).toEqual({ status: 422, slug: "validation-failed" });
  const { status: found } = await router.admin.get(`tenants/acme/${path}`);
  expect(found).toBe(404);
  return errors.map(({ pointer }) => pointer).sort();
}

const missing = (pointer: string, name: string) => ({
  ...{ pointer, code: "missing" },
  detail: `${name} is required.`,
});

describe("a body that is no JSON", () => {
  it.each([
    ['{\n  "kind": "http",\n  url\n}', 3, 3],
    ["", 1, 1],
    ['{"kind":"http"', 1, 15],
    ['{"kind":"http",}', 1, 16],
    ['\n\n{"a":01}', 3, 7],
  ])("is refused with line and column: %j", async (body, line, column) => {
    const problem = await put("targets/bad", body);
    expect(problem).toMatchObject({ status: 400, slug: "malformed-request" });
    expect(problem.detail).toContain(`line ${line}, column ${column}`);
  });

  it("for it is not UTF-8 is refused", async () => {
    const problem = await put("targets/bad", new Uint8Array([0x22, 0xff, 0x22]));
    expect(problem).toMatchObject({ status: 400, detail: expect.stringContaining("UTF-8") });
  });

  it("for it nests 10,000 deep is refused, and the router goes on", async () => {
    const problem = await put("rules/bad", '{"pattern":'.repeat(10_000) + "}".repeat(10_000));
    expect(problem).toMatchObject({ status: 400, slug: "malformed-request" });
    expect((await router.admin.get("tenants/acme")).status).toBe(200);
  });

  it("for it is larger than any configuration is refused with the limit", async () => {
    const problem = await put("targets/bad", new Uint8Array(1_000_001));
    expect(problem).toMatchObject({ status: 413, slug: "payload-too-large", bytesMax: 1_000_000 });
  });

  it.each(["null", "[]", '"text"', "7"])("but no object either is refused: %s", async (body) => {
    const { status, errors } = await put("targets/bad", body);
    expect({ status, pointers: errors?.map(({ pointer }) => pointer) }).toEqual({
      status: 422,
      pointers: [""],
    });
  });
});

describe("a source", () => {
  it.each([
    ["secrets left out", { scheme: "github" }, "/verify/secrets"],
    ["no secret", { scheme: "github", secrets: [] }, "/verify/secrets"],
    ["an empty secret", { scheme: "stripe", secrets: ["good", ""] }, "/verify/secrets/1"],
    ["a blank secret", { scheme: "slack", secrets: [" \t"] }, "/verify/secrets/0"],
    [
      "a secret that is none",
      { scheme: "standard-webhooks", secrets: ["whsec_!"] },
      "/verify/secrets/0",
    ],
    ["an empty password", { scheme: "basic", username: "u", password: "" }, "/verify/password"],
    ["a blank key", { scheme: "api-key", header: "x-key", keys: [" "] }, "/verify/keys/0"],
    ["no header name", { scheme: "api-key", header: "x key", keys: ["k"] }, "/verify/header"],
    [
      "a tolerance of years",
      { scheme: "stripe", secrets: ["s"], toleranceSeconds: 1e8 },
      "/verify/toleranceSeconds",
    ],
  ])("with %s is refused", async (_, verify, pointer) => {
    expect(await faultsOf("sources/bad", { verify })).toEqual([pointer]);
  });

  it("with members left out is told which are required", async () => {
    const { errors } = await putJson("sources/bad", { verify: { scheme: "hmac", encoding: 1 } });
    expect(errors).toEqual([
      ...["header", "algorithm"].map((name) => missing(`/verify/${name}`, name)),
      expect.objectContaining({ pointer: "/verify/encoding", code: "invalid-value" }),
      missing("/verify/secrets", "secrets"),
    ]);
    const { errors: nothing } = await putJson("sources/bad", {});
    expect(nothing).toEqual([missing("/verify", "verify")]);
  });

  it("of an unknown scheme is refused where the scheme stands", async () => {
    const [pointer] = await faultsOf("sources/bad", { verify: { scheme: "trust-me" } });
    expect(pointer).toMatch(/^\/verify(\/scheme)?$/);
  });

  it("with several faults is refused with all of them", async () => {
    const body = {
      verify: { scheme: "github", secrets: [""], tolerance: 3 },
      bytesMax: 0,
      limit: { eventsPerSecond: -1, burst: 1.5, overflow: "drop" },
      typo: true,
    };
    expect(await faultsOf("sources/bad", body)).toEqual([
      "/bytesMax",
      "/limit/burst",
      "/limit/eventsPerSecond",
      "/limit/overflow",
      "/typo",
      "/verify/secrets/0",
      "/verify/tolerance",
    ]);
  });
});

describe("a rule", () => {
  const RULE = { priority: "bulk", targets: ["sink"] };

  it("with an unknown operator is refused where the operator stands", async () => {
    const pattern = { data: { "a/b": [{ prefix: "x" }, { contains: "y" }] } };
    expect(await faultsOf("rules/bad", { ...RULE, pattern })).toEqual(["/pattern/data/a~1b/1"]);
  });

  it("with faults in the pattern and beside it is refused with all of them", async () => {
    const body = {
      pattern: { type: [], data: { amount: [{ numeric: [">", "1"] }], name: "x" } },
      priority: "urgent",
      targets: ["sink", "nobody"],
    };
    const pointers = await faultsOf("rules/bad", body);
    expect(pointers).toEqual(
      expect.arrayContaining(["/pattern/type", "/pattern/data/name", "/priority", "/targets/1"]),
    );
    expect(pointers.some((pointer) => pointer.startsWith("/pattern/data/amount/0"))).toBe(true);
  });

  it.each([
    ["missing", undefined],
    ["null", null],
    ["a list", ["x"]],
    ["empty", {}],
  ])("whose pattern is %s is refused", async (_, pattern) => {
    const [pointer] = await faultsOf("rules/bad", { ...RULE, pattern });
    expect(pointer).toBe("/pattern");
  });

  it("with a key twice is refused, for one of the two would be lost", async () => {
    const pattern = '{"data":{"a":["x"],"a":["y"]}}';
    const body = `{"pattern":${pattern},"priority":"bulk","priority":"bulk","targets":["sink"]}`;
    expect(await faultsOf("rules/bad", body)).toEqual(["/pattern/data/a", "/priority"]);
  });

  it("that names a target twice is refused where it is named again", async () => {
    const body = { ...RULE, pattern: { type: ["a"] }, targets: ["sink", "sink", "sink"] };
    const { errors } = await putJson("rules/bad", body);
    const detail = '"sink" is named already; a rule sends to a target once.';
    expect(errors).toEqual([
      { pointer: "/targets/1", code: "target-twice", detail },
      { pointer: "/targets/2", code: "target-twice", detail },
    ]);
  });

  it.each([
    ["none", []],
    ["far too many", Array.from({ length: 21 }, () => "sink")],
  ])("with %s of targets is refused", async (_, targets) => {
    expect(await faultsOf("rules/bad", { ...RULE, pattern: { type: ["a"] }, targets })).toEqual([
      "/targets",
    ]);
  });
});

describe("a target", () => {
  const TARGET = { kind: "http", url: "https://receiver.example.com/" };

  it.each([
    ["no URL", { url: "receiver" }, "/url"],
    ["credentials in its URL", { url: "https://me:secret@receiver.example.com/" }, "/url"],
    ["another protocol", { url: "ftp://receiver.example.com/" }, "/url"],
    ["another kind", { kind: "carrier-pigeon" }, "/kind"],
    ["a secret too short to sign", { secrets: ["whsec_c2hvcnQ="] }, "/secrets/0"],
    ["a header of ours", { headers: { "Webhook-Id": "mine" } }, "/headers/Webhook-Id"],
    ["a header broken in two", { headers: { "x-a": "1\r\nx-b: 2" } }, "/headers/x-a"],
    ["no time to answer", { timeoutMs: 0 }, "/timeoutMs"],
    ["a pause below zero", { retry: { delaysSeconds: [-1] } }, "/retry/delaysSeconds/0"],
    ["a gate that lets nothing through", { gate: { concurrency: 0 } }, "/gate/concurrency"],
  ])("with %s is refused", async (_, change, pointer) => {
    expect(await faultsOf("targets/bad", { ...TARGET, ...change })).toEqual([pointer]);
  });

  it("with a header of ours is told why it may not set it", async () => {
    const headers = { "Content-Length": "1" };
    const { errors } = await putJson("targets/bad", { ...TARGET, headers });
    expect(errors).toMatchObject([{ detail: expect.stringContaining("set by the router") }]);
  });
});

describe("a __proto__ key", () => {
  it.each([
    [
      "in a target",
      "targets/bad",
      '{"kind":"http","url":"http://a.b/","__proto__":{"paused":true}}',
    ],
    ["in a source's verify", "sources/bad", '{"verify":{"scheme":"none","__proto__":{}}}'],
  ])("%s is a member like any other that is not known", async (_, path, body) => {
    const [pointer] = await faultsOf(path, body);
    expect(pointer).toMatch(/\/__proto__$/);
  });

  it("changes nothing for the next body", async () => {
    await putJson("sources/bad", JSON.parse('{"__proto__":{"verify":{"scheme":"none"}}}'));
    expect(await faultsOf("sources/bad", {})).toEqual(["/verify"]);
  });
});
