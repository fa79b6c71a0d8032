/** Every operation of the served document is called, and what it answers is what the document says. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { type Named, oneOfEach } from "../support/one-of-each.ts";
import {
  answerFaults,
  type Documented,
  documentedOperations,
  filled,
  openApiDocument,
} from "../support/openapi.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;
let document: object;
let operations: Documented[];
let named: Named;

beforeAll(async () => {
  receiver = await startReceiver(({ method, path }, response) => {
    if (method === "OPTIONS") response.writeHead(200, { "webhook-allowed-origin": "*" }).end();
    else response.writeHead(path === "/gone" ? 410 : 400).end("No.");
  });
  router = await startRouter();
  document = await openApiDocument(router.url);
  operations = await documentedOperations(router.url);
  named = await oneOfEach(router, "acme", `${receiver.url}/sink`);
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const name = ({ method, path }: Documented) => `${method} ${path}`;
const secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"];
const limit = { eventsPerSecond: 0.01, burst: 2, overflow: "reject" };
const TENANT = "/admin/tenants/{tenant}";

/** What is sent to the operations that take a body: each of them at least one, as rich as it may be. */
const bodies = (): Readonly<Record<string, readonly unknown[]>> => ({
  [`put ${TENANT}`]: [{ name: "Acme", limit: { ...limit, eventsPerSecond: 100, burst: 100 } }],
  [`put ${TENANT}/sources/{source}`]: [
    { verify: { scheme: "basic", username: "ann", password: "s3cret" } },
    { verify: { scheme: "api-key", header: "x-key", keys: ["a", "b"] }, typeFrom: "order" },
    { verify: { scheme: "standard-webhooks", secrets }, idempotencyKey: { from: "body-hash" } },
    {
      verify: {
        ...{ scheme: "hmac", header: "x-signature", algorithm: "sha256", encoding: "hex" },
        ...{ prefix: "sha256=", secrets: ["s3cret"] },
      },
      idempotencyKey: { from: "body", pointer: "/id" },
      typeFrom: { from: "header", name: "x-type" },
      limit,
      bytesMax: 1_000,
    },
  ],
  [`put ${TENANT}/targets/{target}`]: [
    { kind: "saga", saga: named["saga"], retry: { delaysSeconds: [1] } },
    {
      ...{ kind: "pull", maxAttempts: 2, leaseSeconds: 5, retentionSeconds: 60, backlogMax: 9 },
      paused: true,
    },
    { kind: "event", source: "billing", type: "paid", retry: { delaysSeconds: [1] } },
    { kind: "http", url: `${receiver.url}/all`, batch: { seconds: 9, kilobytes: 9, events: 9 } },
    {
      ...{ kind: "http", url: `${receiver.url}/sink`, secrets, timeoutMs: 1_000, paused: true },
      handshake: "options",
      headers: { authorization: "Bearer s3cret", "x-open": "yes" },
      retry: { maxAttempts: 3, initialSeconds: 1, factor: 2, maxSeconds: 10 },
      gate: { concurrency: 2, perSecond: 10, adaptive: true },
    },
  ],
  [`put ${TENANT}/sagas/{saga}`]: [
    {
      ...{ key: "$.data.id", correlation: "$.data.id", deadlineSeconds: 60, description: "None." },
      steps: [
        {
          ...{
            name: "a",
            when: { input: { data: { n: [1] } } },
            optional: true,
            timeoutSeconds: 5,
          },
          action: {
            http: { url: "https://x.example/{{$.input.id}}", method: "PUT", body: 1 },
            async: { timeoutSeconds: 60 },
          },
          compensate: { http: { url: "https://x.example/", headers: { "x-a": "b" } } },
          ...{ retry: { delaysSeconds: [1] }, settle: "hold" },
        },
        {
          parallel: [
            [{ name: "b", delay: { seconds: 1 } }],
            [{ name: "c", delay: { seconds: 2 } }],
          ],
        },
        { name: "d", wait: { event: { type: ["x"] }, correlation: "$.id", timeoutSeconds: 1 } },
        { name: "g", action: { saga: { name: named["saga"], input: "$.input" } } },
        { name: "f", action: { publish: { type: "x", source: "y", subject: "z", data: 1 } } },
        { name: "e", pivot: true, approve: { timeoutSeconds: 1, onTimeout: "stuck" } },
      ],
    },
  ],
  [`post ${TENANT}/sagas/{saga}/instances`]: [
    { input: { data: { id: 1 } }, key: "another", correlationId: "c" },
    { input: null },
  ],
  [`post ${TENANT}/sagas/test`]: [
    {
      ...{ definition: { steps: [{ name: "a", delay: { seconds: 1 } }] }, input: null },
      ...{ startAt: "2026-01-05T08:00:00Z", signals: [{ afterSeconds: 0, step: "a" }] },
    },
    {
      definition: { steps: [{ name: "a", action: { http: { url: "https://x.example/" } } }] },
      ...{ input: { id: 1 }, mocks: { a: [{ error: "cut off" }, { output: [1] }] } },
    },
  ],
  [`post ${TENANT}/saga-instances/{instance}/migrate`]: [{ reason: "tested", dryRun: true }],
  [`post ${TENANT}/saga-instances/bulk`]: [
    { command: "pause", reason: "tested", query: {}, dryRun: true },
    { command: "resume", reason: "tested", query: { olderThanSeconds: 0, status: "STUCK" } },
  ],
  [`post ${TENANT}/jobs/{job}/cancel`]: [{ reason: "tested", actor: "ann" }],
  [`post ${TENANT}/saga-instances/{instance}/{command}`]: [{ reason: "a look", expectedRev: 1 }],
  [`put ${TENANT}/rules/{rule}`]: [
    {
      pattern: { type: [{ prefix: "order." }] },
      ...{ priority: "bulk", targets: [named.target], enabled: false, description: "None." },
      transformers: {
        [named["target"] ?? ""]: {
          paths: { n: "$.data.n" },
          template: { n: "<n>" },
          missing: "omit",
        },
      },
    },
    { pattern: { type: ["order"] }, priority: "bulk", targets: [named.target], mode: "shadow" },
    {
      ...{ pattern: { type: ["list"] }, priority: "bulk", targets: [named.target] },
      forEach: { path: "$.data.list", perSecond: 5 },
    },
  ],
  [`post ${TENANT}/rules/test`]: [
    {
      pattern: { data: { n: [{ numeric: [">", 1] }], m: [1], a: [{ exists: true }] } },
      event: { data: { n: "2", m: 1 } },
    },
    { pattern: { data: { n: [1] } }, eventId: named["event"] },
    ...["null", "refuse"].map((missing) => ({
      ...{ pattern: { data: { n: [1] } }, event: {} },
      transformer: { paths: { n: "$.data.n" }, template: "<n>", missing },
    })),
    {
      pattern: { data: { n: [1] } },
      cases: [
        { event: { data: { n: 1 } }, matches: true },
        { eventId: named["event"], matches: false },
      ],
    },
  ],
  [`post ${TENANT}/rules/preview`]: [
    { pattern: { type: [{ exists: true }] } },
    { pattern: { data: { to: ["acme-sink"] } }, rule: named["rule"], events: 10 },
  ],
  [`post ${TENANT}/replays`]: [
    {
      ...{ from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z", pattern: { type: ["none"] } },
      ...{ reason: "a look", rule: named["rule"], target: named["target"], perSecond: 5 },
    },
    { from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z", reason: "a look", dryRun: true },
  ],
  [`post ${TENANT}/fan-outs/{fanOut}/cap`]: [{ perSecond: 5 }, { perSecond: null }],
  [`post ${TENANT}/fan-outs/{fanOut}/retry-failed`]: [{ perSecond: 5 }, {}],
  [`post ${TENANT}/events/search`]: [
    { pattern: { type: [{ exists: true }] } },
    { pattern: { type: ["none"] }, from: "2020-01-01T00:00:00Z", outcome: "matched" },
  ],
  [`post ${TENANT}/targets/{target}/pull`]: [
    undefined,
    { max: 1, leaseSeconds: 5, waitSeconds: 0 },
  ],
  [`post ${TENANT}/targets/{target}/ack`]: [{ leases: ["lse_1"] }],
  [`post ${TENANT}/targets/{target}/nack`]: [
    { leases: ["lse_1"], delaySeconds: 5, reason: "later" },
  ],
  [`post ${TENANT}/targets/{target}/extend`]: [{ leases: ["lse_1"], leaseSeconds: 60 }],
  [`post ${TENANT}/targets/{target}/seek`]: [
    { to: "now", reason: "a look" },
    { to: "2020-01-01T00:00:00Z", reason: "a look" },
  ],
  [`post ${TENANT}/deliveries/{delivery}/discard`]: [{ reason: "of no use" }],
  [`post ${TENANT}/deliveries/{delivery}/resend`]: [
    { reason: "mended", data: { n: 1 }, contentType: "application/json" },
    { reason: "mended", base64: "AAA=" },
    { reason: "sent too early" },
  ],
  [`post ${TENANT}/dead-letters/discard`]: [{ reason: "of no use", rule: named["rule"] }],
  "put /admin/queues/{priority}": [
    { paused: false, concurrency: 3, delaySeconds: 1 },
    { paused: false },
  ],
  "post /admin/reconcile": [
    { from: "2020-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z", mend: false },
    { tenant: "acme", from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z" },
  ],
  [`post ${TENANT}/dead-letters/redrive`]: [undefined, { target: named.target, perSecond: 1 }],
});

/** Reads come before changes, and what is deleted comes last, the tenant after all that it owns. */
const ORDER = ["get", "put", "post", "delete"];
const inOrder = () =>
  operations
    .filter(({ path }) => path.startsWith("/admin/"))
    .toSorted((a, b) => {
      const byMethod = ORDER.indexOf(a.method) - ORDER.indexOf(b.method);
      return byMethod || (a.method === "delete" ? b.path.length - a.path.length : 0);
    });

function call(
  operation: Documented,
  values: Readonly<Record<string, string>>,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(router.url + filled(operation.path, values), {
    method: operation.method.toUpperCase(),
    headers: { authorization: `Bearer ${router.vars["ADMIN_TOKEN"]}`, ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

/** Slack's question whether this is the right address, as Slack signs it. */
function slackChallenge(): RequestInit {
  const body = JSON.stringify({ type: "url_verification", challenge: "3eZbrw" });
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const mac = createHmac("sha256", "s3cret").update(`v0:${timestamp}:${body}`).digest("hex");
  return {
    body,
    headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": `v0=${mac}` },
  };
}

/** A second target, which is disabled because its receiver says that it is gone. */
async function addGoneTarget(): Promise<void> {
  const { admin } = router;
  await admin.put("tenants/acme/targets/gone", { kind: "http", url: `${receiver.url}/gone` });
  const pattern = { data: { to: ["gone"] } };
  await admin.put("tenants/acme/rules/gone", { pattern, priority: "bulk", targets: ["gone"] });
  await accepted(router.send("acme/open", { body: '{ "to": "gone" }' }));
  await eventually(
    () => admin.get("tenants/acme/targets/gone"),
    ({ body }) => body.disabled !== undefined,
  );
}

/** Only a target that is read can be pulled. */
const namesFor = ({ path }: Documented): Named =>
  /\/(pull|ack|nack|extend|seek|backlog)$/.test(path) ? { ...named, target: "read" } : named;

const operationAt = (wanted: string): Documented => {
  const found = operations.find((each) => name(each) === wanted);
  if (found === undefined) throw new Error(`The document has no ${wanted}.`);
  return found;
};

describe("what the routes refuse", () => {
  it("is a problem as documented: without a token, with names that nothing has, and with no JSON", async () => {
    const unknown = Object.fromEntries(Object.keys(named).map((key) => [key, "nothing"]));
    for (const operation of inOrder()) {
      const takesBody = operation.requestBody !== undefined;
      const answers = [
        await call(operation, named, undefined, { authorization: "Bearer wrong" }),
        await call(operation, unknown, takesBody ? "{" : undefined),
        await call(operation, { ...unknown, tenant: "NO-NAME" }, takesBody ? {} : undefined),
      ];
      expect(answers[0]?.status).toBe(401);
      for (const answer of answers) {
        const what = `${name(operation)} ${answer.status}`;
        expect(answer.status >= 400 || !operation.path.includes("{"), what).toBe(true);
        expect(await answerFaults(document, operation, answer), what).toEqual([]);
      }
    }
  });

  it("names each fault of a query, and the present version to who has another", async () => {
    for (const operation of inOrder()) {
      if (operation.parameters.some((parameter) => parameter.name === "limit")) {
        const answer = await call({ ...operation, path: `${operation.path}?limit=0` }, named);
        expect(answer.status, name(operation)).toBe(400);
        expect(await answerFaults(document, operation, answer), name(operation)).toEqual([]);
      }
      if (operation.parameters.some((parameter) => parameter.name === "If-Match")) {
        const [body] = bodies()[name(operation)] ?? [];
        const answer = await call(operation, named, body, { "if-match": '"1000000"' });
        expect(answer.status, name(operation)).toBe(412);
        expect(await answerFaults(document, operation, answer), name(operation)).toEqual([]);
      }
    }
  });
});

describe("what ingest answers", () => {
  const cloudevent = { specversion: "1.0", id: "1", source: "/shop", type: "order" };
  const batch = { "content-type": "application/cloudevents-batch+json" };

  it("is documented for every status but 503, which needs a router that is broken", async () => {
    const { admin, send } = router;
    await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" }, bytesMax: 1_000 });
    await admin.put("tenants/acme/sources/slow", { verify: { scheme: "none" }, limit });
    const ingest = operationAt("post /in/{tenant}/{source}");
    await admin.put("tenants/acme/sources/slack", {
      verify: { scheme: "slack", secrets: ["s3cret"] },
    });
    const seen = new Set<string>();
    const sent: (readonly [string, RequestInit])[] = [
      ["acme/open", { body: "{}" }],
      ["acme/open", { body: JSON.stringify([cloudevent, cloudevent]), headers: batch }],
      ["acme/open", { body: JSON.stringify([{ ...cloudevent, id: "" }]), headers: batch }],
      ["acme/open", { body: "[", headers: batch }],
      ["acme/open", { body: "x".repeat(1_001) }],
      ["acme/open", { headers: { "content-type": "application/cloudevents+avro" } }],
      ["acme/open", { method: "PUT" }],
      ["acme/acme-hooks", { body: "{}" }],
      ["acme/nothing", {}],
      ...Array.from({ length: 3 }, () => ["acme/slow", { body: "{}" }] as const),
      ["acme/slow", { body: JSON.stringify(Array(3).fill(cloudevent)), headers: batch }],
      ["acme/slack", slackChallenge()],
    ];
    for (const [path, init] of sent) {
      const answer = await send(path, init);
      seen.add(String(answer.status));
      expect(await answerFaults(document, ingest, answer), `${path} ${answer.status}`).toEqual([]);
    }
    expect([...seen, "503"].toSorted()).toEqual(Object.keys(ingest.responses).toSorted());
  });
});

describe("what an operation answers", () => {
  it("is documented by one that answers without a token", async () => {
    const answer = await fetch(`${router.url}/healthz`);
    expect(await answerFaults(document, operationAt("get /healthz"), answer)).toEqual([]);
  });

  it("is not documented when a member is missing, is another or is not named", async () => {
    const judge = (body: object) =>
      answerFaults(document, operationAt("get /healthz"), Response.json(body));
    expect(await judge({ status: "ok", version: "1" })).toEqual([]);
    expect(await judge({ status: "ok" })).toHaveLength(1);
    expect(await judge({ status: "ill", version: "1" })).toHaveLength(1);
    expect(await judge({ status: "ok", version: "1", uptime: 5 })).toHaveLength(1);
  });

  it("is documented, for every operation there is", async () => {
    // What was redriven before is at rest, and an event is shown with its record when its bytes are archived.
    const { admin } = router;
    await eventually(
      () => admin.get(`tenants/acme/events/${named["event"]}`),
      ({ body }) => body.archived && body.deliveries[0].state === "dead",
    );
    await addGoneTarget();
    await admin.put("tenants/acme/targets/read", { kind: "pull" });
    expect(inOrder().length).toBeGreaterThan(20);
    for (const operation of inOrder()) {
      const sent = bodies()[name(operation)] ?? [undefined];
      if (operation.requestBody !== undefined && sent[0] === undefined && sent.length === 1) {
        throw new Error(`This test sends nothing to ${name(operation)}.`);
      }
      for (const body of sent) {
        const isCancel = name(operation).endsWith("/jobs/{job}/cancel");
        const own = isCancel ? { job: named["bulk"] ?? "" } : {};
        const answer = await call(operation, { ...namesFor(operation), ...own }, body);
        const what = `${name(operation)} ${answer.status}`;
        expect(answer.status, what).toBeLessThan(300);
        expect(await answerFaults(document, operation, answer), what).toEqual([]);
      }
    }
    const deeds = inOrder().filter(({ parameters }) =>
      parameters.some((parameter) => parameter.name === "signalbox-reason"),
    );
    expect(deeds.length).toBeGreaterThan(25);
    const { body: log } = await router.admin.get("audit?limit=1000");
    const done = log.items.filter(({ outcome }: { outcome: string }) => outcome === "done");
    const actions = new Set(done.map(({ action }: { action: string }) => action));
    const missing = deeds.filter(({ operationId }) => !actions.has(operationId));
    // Which this test only has compared.
    expect(missing.map(name)).toEqual([`post ${TENANT}/saga-instances/{instance}/migrate`]);
  });
});
