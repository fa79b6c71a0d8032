/** Creating, replacing and deleting: what is answered, and that nobody overwrites what they have not read. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminOperations, filled, namesIn } from "../support/openapi.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
  await router.admin.put("tenants/acme", {});
  await router.admin.put("tenants/acme/targets/used", TARGET);
});
afterAll(() => router?.stop());

const TARGET = { kind: "http", url: "http://127.0.0.1:9/" };
/** Two valid bodies of each resource, by its path's last parameter. */
const BODIES: Readonly<Record<string, readonly [object, object]>> = {
  tenant: [{}, { name: "Renamed" }],
  source: [{ verify: { scheme: "none" } }, { verify: { scheme: "none" }, typeFrom: "changed" }],
  target: [TARGET, { ...TARGET, timeoutMs: 1_000 }],
  rule: [
    { pattern: { type: ["a"] }, priority: "bulk", targets: ["used"] },
    { pattern: { type: ["b"] }, priority: "bulk", targets: ["used"] },
  ],
  saga: [
    { steps: [{ name: "a", delay: { seconds: 1 } }] },
    { steps: [{ name: "a", delay: { seconds: 2 } }], deadlineSeconds: 60 },
  ],
};

/** Every resource that a PUT creates, as the document names them: queues are there already. */
async function resources() {
  const puts = (await adminOperations(router.url)).filter(
    ({ method, responses }) => method === "put" && responses["201"] !== undefined,
  );
  return puts.map(({ path }) => {
    const kind = namesIn(path).at(-1) ?? "";
    const [first, second] = BODIES[kind] ?? [];
    if (first === undefined) throw new Error(`This test has no body for a ${kind}.`);
    const at = (id: string) => filled(path, { tenant: "acme", [kind]: id }).replace("/admin/", "");
    return { kind, at, first, second };
  });
}

const { stringify } = JSON;

describe("every resource", () => {
  it("is created with 201, replaced with 200, deleted with 204, and then is not there", async () => {
    for (const { kind, at, first, second } of await resources()) {
      const path = at("cycle");
      expect((await router.admin.get(path)).status, kind).toBe(404);
      expect((await router.admin.put(path, first)).status, kind).toBe(201);
      expect((await router.admin.put(path, first)).status, kind).toBe(200);
      const replaced = await router.admin.put(path, second);
      expect(replaced, kind).toMatchObject({ status: 200, body: { id: "cycle", ...second } });
      expect(stringify((await router.admin.get(path)).body), kind).toBe(stringify(replaced.body));
      const gone = await router.admin.request("DELETE", path);
      expect(gone, kind).toMatchObject({ status: 204, body: "" });
      for (const method of ["GET", "DELETE"]) {
        expect((await router.admin.request(method, path)).status, kind).toBe(404);
      }
      expect((await router.admin.put(path, first)).status, kind).toBe(201);
    }
  });

  it("keeps its ETag when only something below it changes", async () => {
    const etag = (await router.admin.put("tenants/above", {})).headers.get("etag") ?? "";
    await router.admin.put("tenants/above/targets/below", TARGET);
    expect((await router.admin.get("tenants/above")).headers.get("etag")).toBe(etag);
    const named = { name: "Above" };
    const headers = { "if-match": etag };
    const replaced = await router.admin.request("PUT", "tenants/above", named, headers);
    expect(replaced.status).toBe(200);
    const late = await router.admin.request("PUT", "tenants/above", named, headers);
    expect(late.status).toBe(412);
  });

  it("has an ETag, the same when read, another when replaced", async () => {
    for (const { kind, at, first, second } of await resources()) {
      const path = at("tagged");
      const created = (await router.admin.put(path, first)).headers.get("etag");
      expect(created, kind).toMatch(/^"[^"]+"$/);
      expect((await router.admin.get(path)).headers.get("etag"), kind).toBe(created);
      const replaced = (await router.admin.put(path, second)).headers.get("etag");
      expect(replaced, kind).toMatch(/^"[^"]+"$/);
      expect(replaced, kind).not.toBe(created);
    }
  });

  it("is left alone by a change that names another version of it", async () => {
    for (const { kind, at, first, second } of await resources()) {
      const path = at("guarded");
      const old = (await router.admin.put(path, first)).headers.get("etag") ?? "";
      const present = (await router.admin.put(path, first)).headers.get("etag") ?? "";
      for (const tag of [old, "junk", '"0"', `W/${present}`]) {
        for (const method of ["PUT", "DELETE"]) {
          const body = method === "PUT" ? second : undefined;
          const refused = await router.admin.request(method, path, body, { "if-match": tag });
          expect(refused, `${method} ${kind} ${tag}`).toMatchObject({
            status: 412,
            body: { etag: present },
          });
        }
      }
      const { body, headers } = await router.admin.get(path);
      expect(body, kind).toMatchObject(first);
      expect(headers.get("etag"), kind).toBe(present);
      const whatever = await router.admin.request("PUT", path, first, { "if-match": "*" });
      expect(whatever.status, kind).toBe(200);
      const match = { "if-match": whatever.headers.get("etag") ?? "" };
      expect((await router.admin.request("PUT", path, second, match)).status, kind).toBe(200);
    }
  });

  it("is not created where the change expects it to be there", async () => {
    for (const { kind, at, first } of await resources()) {
      const path = at("absent");
      const any = await router.admin.request("PUT", path, first, { "if-match": "*" });
      expect(any, kind).toMatchObject({ status: 412, body: { etag: "none" } });
      const refused = await router.admin.request("PUT", path, first, { "if-match": '"1"' });
      expect(refused.status, kind).toBe(412);
      expect((await router.admin.get(path)).status, kind).toBe(404);
    }
  });

  it("takes one of several changes that were made from the same version", async () => {
    for (const { kind, at, first, second } of await resources()) {
      const path = at("raced");
      const headers = {
        "if-match": (await router.admin.put(path, first)).headers.get("etag") ?? "",
      };
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => router.admin.request("PUT", path, second, headers)),
      );
      const codes = answers.map(({ status }) => status).sort();
      expect(codes, kind).toEqual([200, 412, 412, 412, 412]);
    }
  });

  it.each(["Upper", "-dash", "with space", "a".repeat(64), "d%C3%A9"])(
    "refuses the name %s",
    async (name) => {
      for (const { kind, at, first } of await resources()) {
        const path = at(encodeURIComponent(decodeURIComponent(name)));
        const refused = await router.admin.request("PUT", path, first);
        expect(refused, kind).toMatchObject({
          status: 422,
          body: { errors: [{ code: "invalid-slug" }] },
        });
      }
    },
  );
});

describe("a tenant that is deleted", () => {
  it("takes its sources, targets and rules along, and made anew has none of them", async () => {
    const { admin } = router;
    await admin.put("tenants/passing", {});
    await admin.put("tenants/passing/sources/open", { verify: { scheme: "none" } });
    await admin.put("tenants/passing/targets/used", TARGET);
    await admin.request("DELETE", "tenants/passing");
    expect((await router.send("passing/open", { body: "{}" })).status).toBe(404);
    await admin.put("tenants/passing", {});
    for (const list of ["sources", "targets", "rules"]) {
      expect((await admin.get(`tenants/passing/${list}`)).body.items).toEqual([]);
    }
    expect((await router.send("passing/open", { body: "{}" })).status).toBe(404);
  });
});
