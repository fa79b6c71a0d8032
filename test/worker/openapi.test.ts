/** The served OpenAPI document: whole, true to the routes, and true to the contract. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PROBLEMS } from "../../src/core/problem.ts";
import {
  documentedOperations,
  filled,
  namesIn,
  openApiDocument,
  referred,
} from "../support/openapi.ts";
import { problemOf } from "../support/problem.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const TENANT = "/admin/tenants/{tenant}";

/** What users rely on: what stands here is not taken away. */
const CONTRACT = [
  "post /in/{tenant}/{source}",
  "get /admin/tenants",
  ...["get", "put", "delete"].map((method) => `${method} ${TENANT}`),
  ...["source", "target", "rule", "saga"].flatMap((kind) => [
    `get ${TENANT}/${kind}s`,
    ...["get", "put", "delete"].map((method) => `${method} ${TENANT}/${kind}s/{${kind}}`),
  ]),
  `post ${TENANT}/rules/test`,
  `post ${TENANT}/sagas/{saga}/instances`,
  `get ${TENANT}/saga-instances`,
  `get ${TENANT}/saga-instances/{instance}`,
  `post ${TENANT}/saga-instances/{instance}/{command}`,
  `post ${TENANT}/rules/preview`,
  `post ${TENANT}/events/search`,
  `get ${TENANT}/rules/{rule}/versions`,
  `get ${TENANT}/rules/{rule}/versions/{version}`,
  `get ${TENANT}/rules/{rule}/versions/{version}/diff`,
  `post ${TENANT}/rules/{rule}/versions/{version}/restore`,
  `get ${TENANT}/events`,
  `get ${TENANT}/events/{event}`,
  `get ${TENANT}/events/{event}/body`,
  `get ${TENANT}/events/{event}/explain`,
  `get ${TENANT}/deliveries`,
  `get ${TENANT}/deliveries/{delivery}`,
  `post ${TENANT}/deliveries/{delivery}/redrive`,
  `post ${TENANT}/dead-letters/redrive`,
  `post ${TENANT}/deliveries/{delivery}/discard`,
  `post ${TENANT}/deliveries/{delivery}/resend`,
  `post ${TENANT}/dead-letters/discard`,
  `post ${TENANT}/targets/{target}/pause`,
  `post ${TENANT}/targets/{target}/resume`,
  `post ${TENANT}/replays`,
  `get ${TENANT}/replays`,
  `get ${TENANT}/replays/{replay}`,
  ...["pause", "resume", "cancel"].map((each) => `post ${TENANT}/replays/{replay}/${each}`),
  `get ${TENANT}/fan-outs`,
  `get ${TENANT}/fan-outs/{fanOut}`,
  ...["pause", "resume", "cancel", "cap", "retry-failed"].map(
    (each) => `post ${TENANT}/fan-outs/{fanOut}/${each}`,
  ),
  "get /admin/queues",
  "get /admin/waiting",
  ...["get", "put"].map((method) => `${method} /admin/queues/{priority}`),
  ...["pause", "resume"].map((each) => `post /admin/queues/{priority}/${each}`),
  `get ${TENANT}/targets/{target}/gate`,
  `post ${TENANT}/targets/{target}/gate/reset`,
  "get /admin/audit",
  `get ${TENANT}/audit`,
  "get /admin/jobs",
  `get ${TENANT}/jobs/{job}`,
];

const named = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;

/** Every `$ref` below `value`. */
function refsIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === "$ref" && typeof member === "string" ? [member] : refsIn(member),
  );
}

describe("/openapi.json", () => {
  it("is OpenAPI 3.1 and needs no token", async () => {
    const document = await openApiDocument(router.url);
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1\.\d+$/),
      info: { title: expect.stringMatching(/./), version: expect.stringMatching(/./) },
      servers: [{ url: router.url }],
    });
    expect(Object.keys(document.paths).every((path) => path.startsWith("/"))).toBe(true);
  });

  it("refers to nothing that it does not hold", async () => {
    const document = await openApiDocument(router.url);
    const refs = refsIn(document);
    expect(refs.length).toBeGreaterThan(0);
    for (const ref of new Set(refs)) expect(referred(ref, document), ref).toBeDefined();
  });

  it("gives each operation a name of its own, a summary, its parameters, and its answers", async () => {
    const operations = await documentedOperations(router.url);
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const operation of operations) {
      const { path, parameters, summary, responses, requestBody, method } = operation;
      const inPath = parameters.flatMap((one) => (one.in === "path" ? [one.name] : []));
      expect(inPath, path).toEqual(namesIn(path));
      expect(summary, path).toMatch(/\.$/);
      const codes = Object.keys(responses);
      expect(
        codes.every((code) => /^[2-5]\d\d$/.test(code)),
        path,
      ).toBe(true);
      expect(
        codes.some((code) => code.startsWith("2")),
        path,
      ).toBe(true);
      expect(codes.some((code) => code.startsWith("4")) || path === "/healthz", path).toBe(true);
      expect(
        Object.values(responses).every(({ description }) => description !== ""),
        path,
      ).toBe(true);
      if (method === "get" || method === "delete") expect(requestBody, path).toBeUndefined();
    }
  });

  it("holds every operation of the routes, and the contract's", async () => {
    const documented = (await documentedOperations(router.url)).map(named);
    // Under a name the compiler does not follow: the routes are typed for Workers, the tests for Node.
    const routes = fileURLToPath(new URL("../../routes/admin/index.ts", import.meta.url));
    const { OPERATIONS } = await import(routes);
    expect(OPERATIONS.length).toBeGreaterThan(0);
    expect(documented).toEqual(expect.arrayContaining(OPERATIONS.map(named)));
    expect(documented).toEqual(expect.arrayContaining(CONTRACT));
  });

  it("names every member that the page of a problem names", async () => {
    const { components } = await openApiDocument(router.url);
    const members = Object.values(PROBLEMS).flatMap(({ meaning }) =>
      [...meaning.matchAll(/`([a-z][A-Za-z]*)`/g)].map(([, member = ""]) => member),
    );
    expect(members).toContain("rulesMax");
    expect(Object.keys(components.schemas.Problem?.properties ?? {})).toEqual(
      expect.arrayContaining(members),
    );
  });

  it("names no admin route that answers without a token", async () => {
    const admin = (await documentedOperations(router.url)).filter(({ path }) =>
      path.startsWith("/admin"),
    );
    expect(admin.length).toBeGreaterThanOrEqual(CONTRACT.length - 1);
    for (const operation of admin) {
      expect(operation.security, operation.path).toEqual([{ adminToken: [] }]);
      const ids = Object.fromEntries(namesIn(operation.path).map((name) => [name, "x"]));
      const url = router.url + filled(operation.path, ids);
      const problem = await problemOf(fetch(url, { method: operation.method.toUpperCase() }));
      expect(problem, named(operation)).toMatchObject({ status: 401, slug: "unauthenticated" });
    }
  });
});
