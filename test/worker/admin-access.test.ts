/** Who may use the admin routes, and what is said of paths and methods that are none. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";
import { routerHere, stateHere } from "../support/router-here.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const ask = (of: Router, path: string, authorization?: string, method = "GET") =>
  problemOf(
    fetch(`${of.url}/admin/${path}`, {
      method,
      headers: authorization === undefined ? {} : { authorization },
    }),
  );

describe("the admin token", () => {
  it.each([
    ["missing", () => undefined],
    ["empty", () => "Bearer "],
    ["another", () => `Bearer ${"x".repeat(32)}`],
    ["cut short", (token: string) => `Bearer ${token.slice(0, -1)}`],
    ["too long", (token: string) => `Bearer ${token}x`],
    ["sent as Basic", (token: string) => `Basic ${btoa(`admin:${token}`)}`],
    ["sent without a scheme", (token: string) => token],
    ["sent with another beside it", (token: string) => `Bearer x ${token}`],
  ])("that is %s opens nothing", async (_, authorization) => {
    const token = router.vars.ADMIN_TOKEN ?? "";
    for (const path of ["tenants", "no-such-path"]) {
      const problem = await ask(router, path, authorization(token));
      expect(problem).toMatchObject({ status: 401, slug: "unauthenticated" });
      expect(problem.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  it("that has blanks in it opens what one without opens", async () => {
    const token = "correct horse battery staple";
    const other = await routerHere({ vars: { ADMIN_TOKEN: token } });
    expect((await other.admin.get("tenants")).status).toBe(200);
    expect((await ask(other, "tenants", `Bearer ${token.slice(0, 13)}`)).status).toBe(401);
  });

  it("in the address opens nothing", async () => {
    const problem = await ask(router, `tenants?token=${router.vars.ADMIN_TOKEN}`);
    expect(problem.status).toBe(401);
  });

  it.each([
    ["not set", ""],
    ["too short", "fifteen-letters"],
  ])(
    "that is %s keeps the admin routes closed, says so, and lets webhooks in",
    async (why, token) => {
      const stateDirectory = stateHere();
      const open = await routerHere({ stateDirectory });
      await open.admin.put("tenants/acme", {});
      await open.admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
      await open.stop();

      const vars = { ...open.vars, ADMIN_TOKEN: token };
      const closed = await routerHere({ stateDirectory, vars });
      for (const authorization of [undefined, `Bearer ${token}`, "Bearer "]) {
        const problem = await ask(closed, "tenants", authorization);
        expect(problem).toMatchObject({ status: 503, slug: "admin-closed" });
        expect(problem.detail).toContain(`ADMIN_TOKEN is ${why}`);
      }
      expect((await fetch(`${closed.url}/healthz`)).status).toBe(200);
      await accepted(closed.send("acme/open", { body: "{}" }));
    },
  );
});

describe("a variable that is not valid", () => {
  it.each([
    ["OUTBOX", "sometimes"],
    ["ENCRYPTION_KEY", "c2hvcnQ="],
    ["ALLOW_PRIVATE_TARGETS", "yes"],
    ["PUBLIC_URL", "router.example.com"],
  ])(
    "keeps every route but the pages closed, and is named without its value: %s",
    async (name, value) => {
      const other = await routerHere({ vars: { [name]: value } });
      const answers = [
        await problemOf(other.send("acme/open", { body: "{}" })),
        await ask(other, "tenants", `Bearer ${other.vars.ADMIN_TOKEN}`),
      ];
      for (const problem of answers) {
        expect(problem).toMatchObject({ status: 503, slug: "unavailable" });
        expect(problem.detail).toContain(name);
        expect(problem.detail).not.toContain(value);
        expect(problem.headers.get("retry-after")).toMatch(/^\d+$/);
      }
      expect((await fetch(`${other.url}/healthz`)).status).toBe(200);
    },
  );
});

describe("a path or method that is none", () => {
  const authorized = (path: string, method?: string) =>
    ask(router, path, `Bearer ${router.vars.ADMIN_TOKEN}`, method);

  it.each([
    "",
    "tenant",
    "tenants/acme/sources/a/b",
    "tenants//sources",
    "tenants/acme/secrets",
    "%2e%2e%2fhealthz",
  ])("is not found: /admin/%s", async (path) => {
    const problem = await authorized(path);
    expect(problem).toMatchObject({ status: 404, slug: "not-found" });
  });

  it.each([
    ["PATCH", "tenants/acme", "GET, HEAD, PUT, DELETE"],
    ["POST", "tenants", "GET, HEAD"],
    ["GET", "tenants/acme/dead-letters/redrive", "POST"],
    ["DELETE", "queues", "GET, HEAD"],
  ])("%s of %s is refused with what there is", async (method, path, allow) => {
    const problem = await authorized(path, method);
    expect(problem).toMatchObject({ status: 405, slug: "method-not-allowed" });
    expect(problem.headers.get("allow")).toBe(allow);
  });

  it("HEAD is answered as GET is, without a body", async () => {
    await router.admin.put("tenants/headed", {});
    const headers = { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` };
    const head = (path: string) =>
      fetch(`${router.url}/admin/${path}`, { method: "HEAD", headers });
    for (const path of ["tenants", "tenants/headed", "tenants/nobody"]) {
      const [get, answer] = [await router.admin.get(path), await head(path)];
      expect({ status: answer.status, body: await answer.text() }).toEqual({
        status: get.status,
        body: "",
      });
      for (const name of ["etag", "content-type"]) {
        expect(answer.headers.get(name)).toBe(get.headers.get(name));
      }
    }
    expect((await head("tenants/headed/dead-letters/redrive")).status).toBe(405);
  });

  it.each(["/", "/healthz", "/openapi.json", "/problems/not-found"])(
    "POST of %s is refused with what there is",
    async (path) => {
      const problem = await problemOf(fetch(`${router.url}${path}`, { method: "POST" }));
      expect(problem).toMatchObject({ status: 405, slug: "method-not-allowed" });
      expect(problem.headers.get("allow")).toBe("GET, HEAD");
    },
  );
});
