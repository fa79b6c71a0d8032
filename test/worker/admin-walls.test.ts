/** Tenants are walls: through no documented route does one reach what is another's. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { status } from "../support/answers.ts";
import { type Named, oneOfEach } from "../support/one-of-each.ts";
import { adminOperations, type Documented, filled, namesIn } from "../support/openapi.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;
let receiver: Receiver;
let theirs: Named;
let ours: Named;
let operations: Documented[];

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver(status(500))]);
  theirs = await oneOfEach(router, "theirs", receiver.url);
  ours = await oneOfEach(router, "ours", receiver.url);
  operations = (await adminOperations(router.url)).filter(({ path }) => path.includes("{tenant}"));
  await router.admin.put("tenants/theirs/targets/theirs-queue", { kind: "pull" });
  await router.admin.put("tenants/ours/targets/ours-queue", { kind: "pull" });
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

function call({ method, path }: Documented, ids: Named, body?: unknown) {
  const isReader = READERS.test(path);
  const own = isReader ? { ...ids, target: queueOf(ids) } : ids;
  return router.admin.request(method.toUpperCase(), filled(path, own).replace("/admin/", ""), body);
}

/** What is asked of a target that is pulled; the other one is sent to. */
const READERS = /\/(backlog|pull|ack|nack|extend|seek)$/;
const queueOf = ({ target }: Named): string => `${target?.split("-")[0]}-queue`;

/** Routes below a tenant that name one of its things; the others have only the tenant in them. */
const naming = () => operations.filter(({ path }) => namesIn(path).length > 1);
/** Everything of theirs that can be read, as it is now. */
async function snapshot(): Promise<string> {
  const reads = operations.filter(({ method }) => method === "get");
  const answers = await Promise.all(reads.map((read) => call(read, theirs)));
  expect(answers.map((answer) => answer.status)).toEqual(reads.map(() => 200));
  return JSON.stringify(answers.map(({ body }) => body));
}

describe("a tenant", () => {
  it("reads and changes its own things", async () => {
    const reads = naming().filter(({ method }) => method === "get");
    expect(reads.length).toBeGreaterThanOrEqual(Object.keys(ours).length - 1);
    for (const read of reads) expect((await call(read, ours)).status, read.path).toBe(200);
  });

  it("is told that another's things do not exist, and changes none of them", async () => {
    const before = await snapshot();
    const others = naming().filter(({ method }) => method !== "put");
    for (const operation of others) {
      const body = operation.requestBody === undefined ? undefined : bodyFor(operation);
      const answer = await call(operation, { ...theirs, tenant: "ours" }, body);
      const what = `${operation.method} ${operation.path}`;
      expect(answer.status, what).toBe(404);
      expect(JSON.stringify(answer.body), what).not.toContain("theirs");
    }
    expect(await snapshot()).toBe(before);
  });

  it("that puts a thing of the same name has its own, and the other's stays as it is", async () => {
    const before = await snapshot();
    const puts = naming().filter(({ method }) => method === "put");
    expect(puts.length).toBeGreaterThan(0);
    for (const put of puts) {
      const own = { ...put, method: "get" };
      const { body } = await call(own, ours);
      const sent = body.verify === undefined ? body : { ...body, verify: { scheme: "none" } };
      delete sent.secrets;
      const created = await call(put, { ...theirs, tenant: "ours" }, sent);
      expect(created.status, put.path).toBe(201);
    }
    expect(await snapshot()).toBe(before);
  });

  it("sees nothing of another in any list or answer", async () => {
    await router.admin.put("tenants/fresh", {});
    const lists = operations.filter(
      ({ path }) => namesIn(path).length === 1 && path !== "/admin/tenants/{tenant}",
    );
    for (const operation of lists.filter(({ method }) => method === "get")) {
      const { body } = await call(operation, { tenant: "fresh" });
      if (operation.path.endsWith("/audit")) {
        const of = body.items.map(({ resource }: { resource: string }) => resource);
        expect(of).toEqual(["/admin/tenants/fresh"]);
      } else if (operation.path.endsWith("/limits")) {
        expect(body).toEqual({ scopes: [], limits: [] });
      } else expect(body, operation.path).toEqual({ items: [], cursor: null });
    }
  });

  it("redrives none of another's dead letters", async () => {
    const before = await snapshot();
    const { body: job } = await router.admin.post("tenants/fresh/dead-letters/redrive");
    expect(job.total).toBe(0);
    const filters = { target: theirs.target, rule: theirs.rule };
    const { body: other } = await router.admin.post("tenants/fresh/dead-letters/redrive", filters);
    expect(other.total).toBe(0);
    expect(await snapshot()).toBe(before);
  });

  it("cannot send its events to another's target", async () => {
    const rule = { pattern: { source: ["open"] }, priority: "bulk", targets: [theirs.target] };
    const answer = await router.admin.request("PUT", "tenants/fresh/rules/reach", rule);
    expect(answer).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: "/targets/0", code: "unknown-target" }] },
    });
  });

  it("goes nowhere with another's cursor", async () => {
    await router.admin.put("tenants/theirs/sources/second", { verify: { scheme: "none" } });
    const { body } = await router.admin.get("tenants/theirs/sources?limit=1");
    expect(body.cursor).toEqual(expect.any(String));
    const answer = await router.admin.get(`tenants/fresh/sources?cursor=${body.cursor}`);
    expect(answer.body).toEqual({ items: [], cursor: null });
  });

  it("that does not exist answers 404 to every route but the PUT that makes it", async () => {
    for (const operation of operations) {
      if (operation.path === "/admin/tenants/{tenant}" && operation.method === "put") continue;
      const body = operation.requestBody === undefined ? undefined : bodyFor(operation);
      const answer = await call(operation, { ...theirs, tenant: "nobody" }, body);
      expect(answer.status, `${operation.method} ${operation.path}`).toBe(404);
    }
  });
});

/** A body that is valid wherever it is sent, so that the tenant alone decides. */
function bodyFor({ path }: Documented): unknown {
  const bodies: Readonly<Record<string, unknown>> = {
    source: { verify: { scheme: "none" } },
    target: { kind: "http", url: receiver.url },
    rule: { pattern: { source: ["open"] }, priority: "bulk", targets: [theirs.target] },
    test: { pattern: { source: ["open"] }, event: {} },
    preview: { pattern: { source: ["open"] } },
    search: { pattern: { source: ["open"] } },
    replays: { from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z", reason: "a look" },
    cap: { perSecond: 5 },
    pull: {},
    ack: { leases: ["lse_none"] },
    nack: { leases: ["lse_none"] },
    extend: { leases: ["lse_none"], leaseSeconds: 5 },
    seek: { to: "now", reason: "a look" },
    discard: { reason: "of no use" },
    resend: { reason: "sent too early" },
    saga: { steps: [{ name: "a", delay: { seconds: 60 } }] },
    instances: { input: {} },
    "{command}": { reason: "a look" },
    "sagas/test": { definition: { steps: [{ name: "a", delay: { seconds: 60 } }] }, input: {} },
    migrate: { reason: "a look" },
    "{job}/cancel": { reason: "a look" },
    bulk: { command: "pause", reason: "a look", query: {} },
  };
  const parts = path.split("/");
  return (
    bodies[parts.slice(-2).join("/")] ??
    bodies[parts.at(-1) ?? ""] ??
    bodies[namesIn(path)[1] ?? ""]
  );
}
