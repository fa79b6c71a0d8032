/** What a rule was, through the admin routes: its versions, what changed, and one of them made the present one. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdminAnswer } from "../../src/local/admin.ts";
import { accepted } from "../support/ingest-answer.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  for (const tenant of ["acme", "other"]) {
    await router.admin.put(`tenants/${tenant}`, {});
    for (const target of ["a", "b"]) {
      const url = "http://127.0.0.1:9/";
      await router.admin.put(`tenants/${tenant}/targets/${target}`, { kind: "http", url });
    }
  }
});
afterAll(() => router?.stop());

const ruleOf = (type: string, more: object = {}) => ({
  pattern: { type: [type] },
  priority: "normal",
  targets: ["a"],
  ...more,
});

const path = (rule: string, rest = "") => `tenants/acme/rules/${rule}${rest}`;

/** Puts each of them; answers the version that each became. */
async function putEach(rule: string, ...bodies: readonly object[]): Promise<number[]> {
  const versions: number[] = [];
  for (const body of bodies) {
    versions.push((await router.admin.put(path(rule), body)).body.version);
  }
  return versions;
}

const get = (rule: string, rest: string): Promise<AdminAnswer> =>
  router.admin.get(path(rule, rest));
const restore = (rule: string, version: number, headers = {}): Promise<AdminAnswer> =>
  router.admin.request("POST", path(rule, `/versions/${version}/restore`), undefined, headers);
const remove = (rule: string): Promise<AdminAnswer> => router.admin.request("DELETE", path(rule));
const listed = async (rule: string): Promise<{ version: number }[]> =>
  (await get(rule, "/versions")).body.items;

describe("the versions of a rule", () => {
  it("are all that it was, newest first, and say which is the present one", async () => {
    const [first, second] = await putEach("listed", ruleOf("x"), ruleOf("y", { enabled: false }));
    expect(await listed("listed")).toEqual([
      {
        ...{ version: second, changedAt: expect.any(String), isCurrent: true, deleted: false },
        ...ruleOf("y", { enabled: false }),
      },
      {
        ...{ version: first, changedAt: expect.any(String), isCurrent: false, deleted: false },
        ...ruleOf("x"),
      },
    ]);
    const etag = (await get("listed", "")).headers.get("etag");
    expect(etag).toBe(`"${second}"`);
    const one = (await get("listed", `/versions/${first}`)).body;
    expect(one).toMatchObject({ version: first, pattern: { type: ["x"] }, isCurrent: false });
  });

  it("keep the spelling of the numbers in a pattern", async () => {
    const text = '{"pattern":{"data":{"n":[9007199254740993]}},"priority":"bulk","targets":["a"]}';
    await router.admin.request("PUT", path("exact"), text);
    const headers = { authorization: `Bearer ${router.vars["ADMIN_TOKEN"]}` };
    const answer = await fetch(`${router.url}/admin/${path("exact", "/versions")}`, { headers });
    expect(await answer.text()).toContain("[9007199254740993]");
  });

  it("name the one by which an event was matched, whatever the rule is now", async () => {
    await router.admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
    const [version] = await putEach("then", ruleOf("open", { targets: ["a", "b"] }));
    const { id } = await accepted(router.send("acme/open", { body: "{}" }));
    await putEach("then", ruleOf("elsewhere"));
    const { body: event } = await eventually(
      () => router.admin.get(`tenants/acme/events/${id}`),
      ({ body }) => body.archived === true,
    );
    const { body } = await get("then", `/versions/${event.revision}`);
    expect(body).toMatchObject({ version, pattern: { type: ["open"] }, isCurrent: false });
  });

  it("are not more after a PUT that changes nothing, whose ETag is answered by the version it left", async () => {
    const [first, same] = await putEach("same", ruleOf("x"), ruleOf("x"));
    expect(same).toBeGreaterThan(first ?? 0);
    expect((await listed("same")).map(({ version }) => version)).toEqual([first]);
    expect((await get("same", `/versions/${same}`)).body).toMatchObject({
      ...{ version: first, isCurrent: true },
    });
  });

  it("come in pages", async () => {
    const versions = await putEach("paged", ruleOf("x"), ruleOf("y"), ruleOf("z"));
    const first = (await get("paged", "/versions?limit=2")).body;
    const second = (await get("paged", `/versions?limit=2&cursor=${first.cursor}`)).body;
    const seen = [...first.items, ...second.items].map(({ version }) => version);
    expect(seen).toEqual(versions.toReversed());
    expect(second.cursor).toBeNull();
  });

  it("are not those of a rule that never was, nor of another tenant, nor of another name", async () => {
    const [version] = await putEach("mine", ruleOf("x"));
    expect((await get("never", "/versions")).status).toBe(404);
    expect((await router.admin.get("tenants/other/rules/mine/versions")).status).toBe(404);
    const foreign = `tenants/other/rules/mine/versions/${version}`;
    expect((await router.admin.get(foreign)).status).toBe(404);
    expect((await router.admin.post(`${foreign}/restore`)).status).toBe(404);
    for (const name of ["0", "-1", "1e3", "latest", "999999999999999", "9".repeat(30)]) {
      expect((await get("mine", `/versions/${name}`)).status, name).toBe(404);
    }
    expect((await get("mine", "/versions?cursor=junk")).status).toBe(400);
  });
});

describe("what changed between two versions", () => {
  it("is told as a JSON Patch, to the present one unless another is named", async () => {
    const [first, second, third] = await putEach(
      "diffed",
      ruleOf("x"),
      ruleOf("y", { description: "Why." }),
      ruleOf("y", { targets: ["b", "a"] }),
    );
    const toSecond = (await get("diffed", `/versions/${first}/diff?with=${second}`)).body;
    expect(toSecond).toEqual({
      version: first,
      with: second,
      operations: [
        { op: "replace", path: "/pattern/type/0", value: "y" },
        { op: "add", path: "/description", value: "Why." },
      ],
    });
    const toPresent = (await get("diffed", `/versions/${second}/diff`)).body;
    expect(toPresent).toEqual({
      version: second,
      with: third,
      operations: [
        { op: "add", path: "/targets/0", value: "b" },
        { op: "remove", path: "/description" },
      ],
    });
    expect((await get("diffed", `/versions/${third}/diff`)).body.operations).toEqual([]);
  });

  it("is not told of a version in which there was no rule, or of none", async () => {
    const [first] = await putEach("ended", ruleOf("x"));
    await remove("ended");
    const refused = await get("ended", `/versions/${first}/diff`);
    expect(refused.status).toBe(409);
    expect(refused.body.detail).toMatch(/deleted in version \d+/);
    expect((await get("ended", `/versions/${first}/diff?with=${first}`)).status).toBe(200);
    expect((await get("ended", `/versions/${first}/diff?with=5`)).status).toBe(404);
    expect((await get("ended", `/versions/${first}/diff?with=x`)).status).toBe(400);
  });
});

describe("a version that is restored", () => {
  it("is the present one again, as a new version, and what was before it is kept", async () => {
    const [first, second] = await putEach("back", ruleOf("x"), ruleOf("y"));
    const restored = await restore("back", first ?? 0);
    expect(restored).toMatchObject({ status: 200, body: { id: "back", ...ruleOf("x") } });
    const { version } = restored.body;
    expect(restored.headers.get("etag")).toBe(`"${version}"`);
    expect((await listed("back")).map((each) => each.version)).toEqual([version, second, first]);
    expect((await get("back", "")).body).toEqual(restored.body);
  });

  it("brings back a rule that was deleted, but not its deletion", async () => {
    const [first] = await putEach("gone", ruleOf("x"));
    await remove("gone");
    const [newest] = await listed("gone");
    expect(newest).toEqual({
      ...{ version: expect.any(Number), changedAt: expect.any(String) },
      ...{ isCurrent: true, deleted: true },
    });
    const refused = await restore("gone", newest?.version ?? 0);
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.any(String) } });
    expect(await restore("gone", first ?? 0)).toMatchObject({ status: 201, body: ruleOf("x") });
    expect((await listed("gone")).length).toBe(3);
  });

  it("is refused when one of its targets is gone, and changes nothing", async () => {
    const url = "http://127.0.0.1:9/";
    await router.admin.put("tenants/acme/targets/passing", { kind: "http", url });
    const [first, second] = await putEach(
      "orphaned",
      ruleOf("x", { targets: ["a", "passing"] }),
      ruleOf("y"),
    );
    await router.admin.request("DELETE", "tenants/acme/targets/passing");
    expect(await restore("orphaned", first ?? 0)).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/targets/1", code: "unknown-target" }] },
    });
    expect((await get("orphaned", "")).body.version).toBe(second);
  });

  it("is refused by a change that was made meanwhile, and taken where If-Match names the present one", async () => {
    const [first, second] = await putEach("guarded", ruleOf("x"), ruleOf("y"));
    const refused = await restore("guarded", first ?? 0, { "if-match": `"${first}"` });
    expect(refused).toMatchObject({ status: 412, body: { etag: `"${second}"` } });
    expect((await restore("guarded", first ?? 0, { "if-match": `"${second}"` })).status).toBe(200);
    await remove("guarded");
    const absent = await restore("guarded", first ?? 0, { "if-match": "*" });
    expect(absent).toMatchObject({ status: 412, body: { etag: "none" } });
  });
});
