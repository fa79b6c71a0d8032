/** Targets whose receivers are asked first: nothing is sent until they permit it. */
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { never, receiverHere, status } from "../support/answers.ts";
import type { Answer, Receiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter({ vars: { OWN_HOSTS: "router.example.com" } });
});
afterAll(() => router?.stop());

const permits = (rate: string): Answer =>
  status(200, { "WebHook-Allowed-Origin": "router.example.com", "WebHook-Allowed-Rate": rate });

/** A receiver that takes deliveries, and answers OPTIONS by what `answers.options` holds. */
async function askedReceiver(options: Answer) {
  const answers = { options };
  const receiver = await receiverHere((request, response) =>
    request.method === "OPTIONS" ? answers.options(request, response) : void response.end(),
  );
  return { receiver, answers };
}

const methods = ({ received }: Receiver): string[] => received.map(({ method }) => method);
const asked = (url: string) => ({ url, handshake: "options" as const });
const CLOSED = {
  reason: expect.stringMatching(/^the receiver has not permitted deliveries: /),
  at: expect.any(String),
};

describe("a receiver that permits deliveries", () => {
  it("was asked by this router's name, and gets them; its rate is shown", async () => {
    const { receiver } = await askedReceiver(permits("120"));
    const tenant = await prepareTenant(router, "permits", { hook: asked(receiver.url) });
    const { body } = await router.admin.get(`${tenant.path}/targets/hook`);
    expect(body).toMatchObject({
      handshake: "options",
      permission: { origin: "router.example.com", ratePerMinute: 120, at: expect.any(String) },
    });
    expect(body.disabled).toBeUndefined();
    const { id } = await tenant.send("hook");
    await tenant.delivery(id, "hook", "delivered");
    expect(methods(receiver)).toEqual(["OPTIONS", "POST"]);
    expect(receiver.received[0]?.headers["webhook-request-origin"]).toBe("router.example.com");
  });

  it("at a rate is called at no higher one, and gets all that waited", async () => {
    const { receiver } = await askedReceiver(permits("120"));
    const tenant = await prepareTenant(router, "paced", { hook: asked(receiver.url) });
    const sent = await Promise.all(Array.from({ length: 6 }, () => tenant.send("hook")));
    const limited = await eventually(
      () => router.admin.get(`${tenant.path}/targets/hook/gate`),
      ({ body }) => body.limits.some(({ by }: { by: string }) => by === "rate"),
    );
    expect(limited.body.limits[0].detail).toContain("500 ms");
    for (const { id } of sent) await tenant.delivery(id, "hook", "delivered");
    expect(methods(receiver)).toEqual(["OPTIONS", ...sent.map(() => "POST")]);
  });

  it("and does not answer when its target is saved again keeps getting them", async () => {
    const { receiver, answers } = await askedReceiver(permits("*"));
    const tenant = await prepareTenant(router, "silent", { hook: asked(receiver.url) });
    answers.options = status(503);
    const { body } = await router.admin.get(`${tenant.path}/targets/hook`);
    const { secrets: _, ...copy } = body;
    const again = await router.admin.put(`${tenant.path}/targets/hook`, copy);
    expect(again.body.permission).toEqual(body.permission);
    const other = { kind: "http", ...asked(`${receiver.url}/other`) };
    const moved = await router.admin.put(`${tenant.path}/targets/hook`, other);
    expect(moved.body).toMatchObject({ disabled: CLOSED });
    expect(moved.body.permission).toBeUndefined();
  });
});

describe("a target that is saved while another saves it", () => {
  const [OLD, NEW] = [1, 2].map((byte) => {
    const secret = `whsec_${Buffer.alloc(32, byte).toString("base64")}`;
    return { secret, token: `token-${byte}`, header: `key-${byte}` };
  }) as [Named, Named];
  type Named = { readonly secret: string; readonly token: string; readonly header: string };

  it("keeps the secrets that the other rotated to, and not those it began with", async () => {
    const { receiver, answers } = await askedReceiver(permits("*"));
    const target = (named: Named) => ({
      ...asked(receiver.url),
      secrets: [named.secret],
      headers: { "x-api-key": named.header },
      auth: { scheme: "bearer", token: named.token },
    });
    const tenant = await prepareTenant(router, "overtaken", { hook: target(OLD) });
    const path = `${tenant.path}/targets/hook`;
    answers.options = async (request, response) => {
      answers.options = permits("*");
      const rotated = { kind: "http", ...target(NEW) };
      expect((await router.admin.put(path, rotated)).status).toBe(200);
      answers.options(request, response);
    };
    const kept = { kind: "http", ...asked(receiver.url), timeoutMs: 7_000 };
    const saved = await router.admin.put(path, kept);
    expect(saved).toMatchObject({ status: 200, body: { timeoutMs: 7_000 } });

    const { id } = await tenant.send("hook");
    await tenant.delivery(id, "hook", "delivered");
    const last = receiver.received.at(-1);
    expect(last?.headers).toMatchObject({
      authorization: `Bearer ${NEW.token}`,
      "x-api-key": NEW.header,
    });
    new Webhook(NEW.secret).verify(String(last?.body), last?.headers as Record<string, string>);
  });

  it.each([
    ["names no version", {}, 200],
    ["asks for one that is there", { "if-match": "*" }, 412],
  ])("does not replace one that the other created, and %s", async (_, headers, status) => {
    const { receiver, answers } = await askedReceiver(permits("*"));
    const { path } = await prepareTenant(router, `created-meanwhile-${status}`, {});
    const target = `${path}/targets/hook`;
    answers.options = async (request, response) => {
      answers.options = permits("*");
      const created = { kind: "http", ...asked(receiver.url), secrets: [NEW.secret] };
      expect((await router.admin.put(target, created)).status).toBe(201);
      answers.options(request, response);
    };
    const bare = { kind: "http", ...asked(receiver.url) };
    expect((await router.admin.request("PUT", target, bare, headers)).status).toBe(status);
    expect((await router.admin.get(target)).body).toMatchObject({ secrets: { count: 1 } });
  });
});

describe("a receiver that permits nothing", () => {
  it.each<[string, Answer]>([
    ["because it refuses", status(405)],
    ["because it permits another", status(200, { "WebHook-Allowed-Origin": "other.example.com" })],
    ["because it redirects", status(307, { location: "/", "WebHook-Allowed-Origin": "*" })],
    ["because it does not answer", never],
  ])("gets nothing, %s, until it is asked again and does", async (why, refuses) => {
    const { receiver, answers } = await askedReceiver(refuses);
    const id = `waits-${why.replaceAll(" ", "-")}`;
    const tenant = await prepareTenant(router, id, { hook: asked(receiver.url) });
    const path = `${tenant.path}/targets/hook`;
    expect((await router.admin.get(path)).body).toMatchObject({ disabled: CLOSED });
    const event = await tenant.send("hook");
    await tenant.delivery(event.id, "hook", "parked");

    const resumed = await router.admin.post(`${path}/resume`);
    expect(resumed).toMatchObject({ status: 409 });
    expect(methods(receiver)).toEqual(["OPTIONS"]);
    if (refuses !== never) {
      const refused = await router.admin.post(`${path}/handshake`);
      expect(refused).toMatchObject({ status: 200, body: { permission: null, released: 0 } });
    }
    answers.options = permits("60");
    const permitted = await router.admin.post(`${path}/handshake`);
    expect(permitted.body).toMatchObject({
      permission: { ratePerMinute: 60 },
      reason: null,
      released: 1,
    });
    await tenant.delivery(event.id, "hook", "delivered");
    expect(methods(receiver).filter((method) => method === "POST")).toHaveLength(1);
  });
});

describe("asking again", () => {
  it("that is refused closes a target that was open", async () => {
    const { receiver, answers } = await askedReceiver(permits("*"));
    const tenant = await prepareTenant(router, "revoked", { hook: asked(receiver.url) });
    answers.options = status(403);
    const path = `${tenant.path}/targets/hook`;
    expect((await router.admin.post(`${path}/handshake`)).body).toMatchObject({
      permission: null,
      reason: "it answered 403",
    });
    expect((await router.admin.get(path)).body).toMatchObject({ disabled: CLOSED });
  });

  it("does not release what a paused target holds", async () => {
    const { receiver } = await askedReceiver(permits("*"));
    const tenant = await prepareTenant(router, "paused", { hook: asked(receiver.url) });
    const path = `${tenant.path}/targets/hook`;
    await router.admin.post(`${path}/pause`);
    const event = await tenant.send("hook");
    await tenant.delivery(event.id, "hook", "parked");
    expect((await router.admin.post(`${path}/handshake`)).body).toMatchObject({ released: 0 });
    expect((await router.admin.post(`${path}/resume`)).body).toMatchObject({ released: 1 });
    await tenant.delivery(event.id, "hook", "delivered");
  });

  it("is refused of a target that asks its receiver for nothing, or is not there", async () => {
    const { receiver } = await askedReceiver(permits("*"));
    const tenant = await prepareTenant(router, "unasked", { hook: { url: receiver.url } });
    const path = `${tenant.path}/targets`;
    expect((await router.admin.post(`${path}/hook/handshake`)).status).toBe(409);
    expect((await router.admin.post(`${path}/nobody/handshake`)).status).toBe(404);
    expect(methods(receiver)).toEqual([]);
  });

  it("is no way to say that a receiver has permitted something", async () => {
    const { receiver } = await askedReceiver(status(405));
    const tenant = await prepareTenant(router, "forged", { hook: asked(receiver.url) });
    const path = `${tenant.path}/targets/hook`;
    const { secrets: _, ...copy } = (await router.admin.get(path)).body;
    const permission = { origin: "*", ratePerMinute: null, at: "2026-01-01T00:00:00.000Z" };
    const forged = await router.admin.put(path, { ...copy, permission });
    expect(forged.body).toMatchObject({ disabled: CLOSED });
    expect(forged.body.permission).toBeUndefined();
  });
});
