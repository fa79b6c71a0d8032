/** Reconciliation over HTTP: what was delivered is known, page by page; a wish that is not valid is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { prepareTenant, type TestTenant } from "../support/tenant.ts";

let router: Router;
let receiver: Receiver;
let tenant: TestTenant;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  tenant = await prepareTenant(router, "acme", { sink: { url: receiver.url } });
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const ALWAYS = { from: "2020-01-01T00:00:00Z", to: "2100-01-01T00:00:00Z" };
const reconcile = (body: object) => router.admin.post("reconcile", body);

describe("an archive and a ledger that agree", () => {
  it("are compared whole, and nothing is sent", async () => {
    const sent = [await tenant.send("sink"), await tenant.send("nobody")];
    await tenant.delivery(sent[0]?.id ?? "", "sink", "delivered");
    const { status, body } = await reconcile({ ...ALWAYS, tenant: "acme" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ mismatches: [], complete: true, cursor: null });
    expect(body.events).toBeGreaterThan(0);
    expect(body.known).toBe(body.events);
    const { body: all } = await reconcile(ALWAYS);
    expect(all).toMatchObject({ complete: true, events: body.events });
  });
});

describe("a slice", () => {
  it.each([
    ["/to", { from: ALWAYS.from }],
    ["/from", { ...ALWAYS, from: "yesterday" }],
    ["/to", { from: ALWAYS.to, to: ALWAYS.from }],
    ["/mend", { ...ALWAYS, mend: "yes" }],
    ["/tenant", { ...ALWAYS, tenant: "../other" }],
  ])("is refused when it is none: %s", async (pointer, body) => {
    const refused = await reconcile(body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer }] } });
  });

  it("of an unknown tenant is not found", async () => {
    expect((await reconcile({ ...ALWAYS, tenant: "nobody" })).status).toBe(404);
  });

  it.each([
    ["no cursor of ours", "x"],
    ["another tenant's", btoa('["other","segments",""]')],
    ["a phase that there is not", btoa('["acme","all",""]')],
  ])("goes on from no cursor that was not given out for it: %s", async (_, cursor) => {
    expect((await reconcile({ ...ALWAYS, tenant: "acme", cursor })).status).toBe(400);
  });
});
