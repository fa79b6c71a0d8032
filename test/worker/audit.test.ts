/** The audit log: what every change through the admin routes leaves, and what leaves nothing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { status } from "../support/answers.ts";
import { oneOfEach } from "../support/one-of-each.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver(status(500))]);
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G";
const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  router.admin.request(method, path, body, headers);

interface Entry {
  readonly outcome: string;
  readonly actor: { readonly key: string; readonly name: string | null };
}

async function log(query = ""): Promise<Entry[]> {
  const { body } = await router.admin.get(`audit?limit=1000${query}`);
  return body.items;
}

describe("a change", () => {
  it("says who, what, why and what is different, and never a secret or the token", async () => {
    await router.admin.put("tenants/shop", {});
    const target = { kind: "http", url: "https://a.example/s3cret-path", secrets: [SECRET] };
    const first = { ...target, gate: { perSecond: 5 }, headers: { authorization: "s3cret-key" } };
    await router.admin.put("tenants/shop/targets/sink", first);
    const why = { "signalbox-reason": "the sale begins", "signalbox-actor": "ann" };
    const second = { ...first, gate: { perSecond: 50 } };
    const { body: saved } = await send("PUT", "tenants/shop/targets/sink", second, why);
    await send("POST", "tenants/shop/targets/sink/pause");
    await send("DELETE", "tenants/shop/targets/sink");
    const { body } = await router.admin.get("tenants/shop/audit");
    expect(body.cursor).toBeNull();
    const [deleted, paused, changed, created, made] = body.items;
    expect(changed).toMatchObject({
      ...{ action: "putTenantsTenantTargetsTarget", tenant: "shop", outcome: "done", status: 200 },
      ...{ resource: "/admin/tenants/shop/targets/sink", reason: "the sale begins" },
      actor: { key: expect.stringMatching(/^key_[0-9a-f]{8}$/), name: "ann" },
      change: {
        ...{ after: saved.version, unnamed: 0 },
        members: [{ path: "/gate/perSecond", from: 5, to: 50 }],
      },
    });
    expect(Date.parse(changed.at)).toBeGreaterThan(Date.now() - 60_000);
    expect(created).toMatchObject({ status: 201, reason: null, actor: { name: null } });
    expect(created.change.before).toBeNull();
    expect(created.change.after).toBe(changed.change.before);
    expect(created.change.members.map(({ path }: { path: string }) => path)).toEqual([
      ...["/kind", "/url", "/gate/perSecond", "/headers", "/secrets"],
    ]);
    expect(paused.change.members).toEqual([{ path: "/paused", to: true }]);
    expect(deleted).toMatchObject({ status: 204, change: { after: null } });
    expect(made).toMatchObject({ action: "putTenantsTenant", change: { before: null } });
    expect(new Set(body.items.map(({ actor }: { actor: { key: string } }) => actor.key)).size).toBe(
      1,
    );
    const all = JSON.stringify(await log());
    for (const hidden of ["s3cret", SECRET, router.vars.ADMIN_TOKEN ?? "none"]) {
      expect(all).not.toContain(hidden);
    }
  });

  it("of what a body gives a reason for takes that, and who its body names", async () => {
    const named = await oneOfEach(router, "reasons", receiver.url);
    const at = `tenants/reasons/saga-instances/${named.instance}/pause`;
    const said = { reason: "a look", actor: "bob" };
    await send("POST", at, said, { "signalbox-reason": "another", "signalbox-actor": "ann" });
    await send("POST", `tenants/reasons/deliveries/${named.delivery}/discard`, {
      reason: "of no use",
    });
    const [discarded, paused] = await log("&tenant=reasons");
    expect(paused).toMatchObject({ reason: "a look", actor: { name: "bob" }, outcome: "done" });
    expect(discarded).toMatchObject({ reason: "of no use", change: null, status: 200 });
  });

  it("that is refused once it was begun stands there as refused", async () => {
    await router.admin.put("tenants/refusing", {});
    await send("PUT", "tenants/refusing", {}, { "if-match": '"7"' });
    await send("POST", "tenants/refusing/saga-instances/none/pause", { reason: "a look" });
    const [second, first] = await log("&tenant=refusing");
    expect(first).toMatchObject({ outcome: "refused", status: 412, change: null });
    expect(second).toMatchObject({ outcome: "refused", status: 404 });
  });
});

describe("nothing is left in the log", () => {
  it("by reads, by dry runs and trials, and by bodies and tokens that are refused", async () => {
    const named = await oneOfEach(router, "quiet", receiver.url);
    const before = await log("&tenant=quiet");
    const pattern = { type: ["none"] };
    const slice = { from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z", reason: "a look" };
    const asked: [number, string, string, unknown?, Record<string, string>?][] = [
      [200, "GET", "tenants/quiet/targets"],
      [200, "POST", "tenants/quiet/rules/test", { pattern, event: {} }],
      [200, "POST", "tenants/quiet/rules/preview", { pattern }],
      [200, "POST", "tenants/quiet/events/search", { pattern }],
      [200, "POST", "tenants/quiet/replays", { ...slice, dryRun: true }],
      [
        200,
        "POST",
        "tenants/quiet/saga-instances/bulk",
        { command: "pause", reason: "r", query: {}, dryRun: true },
      ],
      [422, "PUT", "tenants/quiet/rules/bad", { pattern: { type: "x" } }],
      [404, "DELETE", "tenants/quiet/targets/none"],
      [404, "POST", "tenants/quiet/targets/none/pause"],
      [
        401,
        "DELETE",
        `tenants/quiet/targets/${named.target}`,
        undefined,
        { authorization: "Bearer x" },
      ],
      [
        400,
        "DELETE",
        `tenants/quiet/targets/${named.target}`,
        undefined,
        { "signalbox-reason": "x".repeat(1_001) },
      ],
      [
        400,
        "DELETE",
        `tenants/quiet/targets/${named.target}`,
        undefined,
        { "signalbox-actor": "x".repeat(201) },
      ],
    ];
    for (const [expected, method, path, body, headers] of asked) {
      expect((await send(method, path, body, headers)).status, `${method} ${path}`).toBe(expected);
    }
    const after = await log("&tenant=quiet");
    // What is deleted and is not there was refused by the store itself, in the transaction that says so.
    expect(after.filter(({ outcome }) => outcome === "refused")).toMatchObject([{ status: 404 }]);
    expect(after.filter(({ outcome }) => outcome !== "refused")).toEqual(before);
  });
});

describe("the log", () => {
  it("is in pages, by tenant, actor, action and time", async () => {
    for (const name of ["page-a", "page-b"]) await router.admin.put(`tenants/${name}`, {});
    await send("PUT", "tenants/page-a", { name: "A" }, { "signalbox-actor": "cleo" });
    expect(await log("&actor=cleo")).toHaveLength(1);
    expect(await log("&tenant=page-b")).toMatchObject([{ tenant: "page-b" }]);
    expect(await log("&action=putTenantsTenant&tenant=page-a")).toHaveLength(2);
    expect(await log("&action=deleteTenantsTenant&tenant=page-a")).toEqual([]);
    expect(await log("&to=2020-01-01T00:00:00Z")).toEqual([]);
    const { body: first } = await router.admin.get("audit?limit=1&tenant=page-a");
    const next = `audit?limit=1&tenant=page-a&cursor=${first.cursor}`;
    const { body: second } = await router.admin.get(next);
    expect(first.items[0].actor.name).toBe("cleo");
    expect(second.items[0].actor.name).toBeNull();
    expect(second.cursor).toBeNull();
    expect((await router.admin.get("audit?cursor=abc")).status).toBe(400);
    expect((await router.admin.get("audit?from=yesterday")).status).toBe(400);
  });

  it("of a tenant that is none is refused, and one that was made anew sees nothing of its earlier life", async () => {
    expect((await router.admin.get("tenants/none/audit")).status).toBe(404);
    await router.admin.put("tenants/twice", { name: "first" });
    await send("DELETE", "tenants/twice");
    expect((await router.admin.get("tenants/twice/audit")).status).toBe(404);
    await router.admin.put("tenants/twice", { name: "second" });
    const { body } = await router.admin.get("tenants/twice/audit");
    expect(body.items).toHaveLength(1);
    expect(await log("&tenant=twice")).toHaveLength(3);
  });
});
