/** What did not arrive, in the hands of a person: given up, sent anew, or looked at though nothing can read it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deadLetters } from "../support/dead-letters.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant, type TestTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

const act = (tenant: TestTenant, delivery: string | undefined, action: string, body?: object) =>
  router.admin.post(`${tenant.path}/deliveries/${delivery}/${action}`, body);

const archived = (tenant: TestTenant, event: string | undefined) =>
  eventually(
    () => router.admin.get(`${tenant.path}/events/${event}`),
    ({ body }) => body.archived,
  );

describe("a dead letter that is discarded", () => {
  it("is cancelled with the reason, and refused a second time", async () => {
    const { tenant, letters } = await deadLetters(router, "given-up", 1);
    const [letter] = letters;
    expect(await act(tenant, letter?.id, "discard", { reason: "a test order" })).toMatchObject({
      status: 200,
      body: { id: letter?.id, state: "cancelled", lastError: "discarded: a test order" },
    });
    const again = await act(tenant, letter?.id, "discard", { reason: "once more" });
    expect(again).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/cancel/) } });
  });

  it("may be one of many: the selection is given up, and only that", async () => {
    const { tenant, letters } = await deadLetters(router, "many", 3);
    const discard = (body: object) =>
      router.admin.post(`${tenant.path}/dead-letters/discard`, { reason: "old", ...body });
    expect((await discard({ rule: "another" })).body).toEqual({ discarded: 0 });
    expect((await discard({ to: "2020-01-01T00:00:00Z" })).body).toEqual({ discarded: 0 });
    expect(await discard({ target: "many" })).toMatchObject({
      status: 200,
      body: { discarded: 3 },
    });
    for (const { eventId } of letters) await tenant.delivery(eventId, "many", "cancelled");
  });

  it.each([
    ["/reason", {}],
    ["/reason", { reason: " " }],
    ["/reason", { reason: "x".repeat(501) }],
    ["/force", { reason: "ok", force: true }],
  ])("is left alone when the wish is not valid: %s", async (pointer, body) => {
    const tenant = await prepareTenant(router, "strict", {});
    const refused = await act(tenant, `dlv_${"0".repeat(39)}`, "discard", body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });
});

describe("a dead letter that is resent", () => {
  it("arrives mended, its numbers exact, under a new webhook-id", async () => {
    const { tenant, receiver, letters } = await deadLetters(router, "mended", 1);
    const [letter] = letters;
    await archived(tenant, letter?.eventId);
    const body = '{ "reason": "no total", "data": { "total": 12.5, "big": 12345678901234567890 } }';
    const path = `${tenant.path}/deliveries/${letter?.id}/resend`;
    const resent = await router.admin.request("POST", path, body);
    expect(resent).toMatchObject({
      status: 202,
      body: { deliveries: 1, priorities: ["critical"] },
    });
    const [, second] = await receiver.waitFor(2);
    expect(second?.body.toString()).toBe('{"total":12.5,"big":12345678901234567890}');
    expect(second?.headers["signalbox-event"]).toBe(resent.body.id);
    expect(second?.headers["webhook-id"]).not.toBe(letter?.id);
    const old = await tenant.delivery(letter?.eventId ?? "", "mended", "cancelled");
    expect(old.lastError).toBe(`resent as ${resent.body.id}: no total`);
    const { body: event } = await archived(tenant, resent.body.id);
    expect(event).toMatchObject({ verification: { scheme: "operator" } });
  });

  it("twice by mistake is delivered once", async () => {
    const { tenant, receiver, letters } = await deadLetters(router, "twice", 1);
    const [letter] = letters;
    await archived(tenant, letter?.eventId);
    const [first, second] = [
      await act(tenant, letter?.id, "resend", { reason: "now" }),
      await act(tenant, letter?.id, "resend", { reason: "now" }),
    ];
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.body.id).toBe(first.body.id);
    await tenant.delivery(first.body.id, "twice", "delivered");
    await eventually(
      () => router.admin.get(`${tenant.path}/events/${first.body.id}`),
      ({ body }) => body.receipts.length === 2,
    );
    expect(receiver.received).toHaveLength(2);
  });

  it.each([
    ["/base64", { reason: "x", base64: "not base64" }],
    ["/base64", { reason: "x", base64: "AAA=", data: null }],
    ["/contentType", { reason: "x", contentType: "a\nb" }],
    ["/reason", { data: {} }],
  ])("stays a dead letter when the wish is not valid: %s", async (pointer, body) => {
    const tenant = await prepareTenant(router, "strict", {});
    const refused = await act(tenant, `dlv_${"0".repeat(39)}`, "resend", body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });
});

describe("a poison message", () => {
  it("is listed with its reason, read as it came, and removed", async () => {
    await router.enqueuePoison(Uint8Array.of(9, 8, 7));
    const { body: list } = await eventually(
      () => router.admin.get("poison-messages"),
      ({ body }) => body.items.length === 1,
    );
    const [{ id, keptAt }] = list.items;
    expect(list.items).toEqual([{ id, bytes: 3, reason: "shorter than a pack's prefix", keptAt }]);
    const read = await fetch(`${router.url}/admin/poison-messages/${id}/body`, {
      headers: { authorization: `Bearer ${router.vars.ADMIN_TOKEN}` },
    });
    expect([...new Uint8Array(await read.arrayBuffer())]).toEqual([9, 8, 7]);
    expect(read.headers.get("content-type")).toBe("application/octet-stream");
    const remove = () => router.admin.request("DELETE", `poison-messages/${id}`);
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 204]);
    expect((await router.admin.get("poison-messages")).body.items).toEqual([]);
    expect((await router.admin.get(`poison-messages/${id}/body`)).status).toBe(404);
  });

  it.each(["nothing", "..%2fsegments", "segments", "2026-01-31.", "%2e%2e"])(
    "is none by a name like %s, which reaches no other object",
    async (id) => {
      const read = await router.admin.get(`poison-messages/${id}/body`);
      const removed = await router.admin.request("DELETE", `poison-messages/${id}`);
      expect([read.status, removed.status]).toEqual([404, expect.toBeOneOf([404, 405])]);
    },
  );
});
