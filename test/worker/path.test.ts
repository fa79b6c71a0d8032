/** The main path: one webhook in, the same bytes out, and what an operator sees of it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  await admin.put("tenants/acme", { name: "Acme" });
  await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  await admin.put("tenants/acme/targets/sink", { kind: "http", url: `${receiver.url}/sink` });
  await admin.put("tenants/acme/rules/orders", {
    pattern: { data: { kind: ["order"] } },
    priority: "critical",
    targets: ["sink"],
  });
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

describe("a webhook", () => {
  it("reaches the rule's target with its own bytes, and its event shows every hop", async () => {
    const body = '{ "kind": "order", "total": 9007199254740993 }';
    const answer = await router.send("acme/open", { body });
    expect(answer.status).toBe(202);
    const accepted = (await answer.json()) as { id: string };
    expect(accepted).toMatchObject({ deliveries: 1, priorities: ["critical"] });

    const [delivery] = await receiver.waitFor(1);
    expect(delivery?.body.toString()).toBe(body);
    expect(delivery?.headers["signalbox-event"]).toBe(accepted.id);

    const path = `tenants/acme/events/${accepted.id}`;
    const event = await eventually(
      () => router.admin.get(path),
      ({ body }) => body.deliveries?.[0]?.state === "delivered",
    );
    expect(event.body.receipts).toHaveLength(1);
    const hops = event.body.timeline.map(({ hop }: { hop: string }) => hop);
    expect(hops).toEqual(["accepted", "claimed", "attempt", "delivered"]);
  });

  it("that no rule wants is accepted, recorded as unmatched, and delivered nowhere", async () => {
    const answer = await router.send("acme/open", { body: '{"kind":"gossip"}' });
    const accepted = (await answer.json()) as { id: string };
    expect(accepted).toMatchObject({ deliveries: 0, priorities: [] });
    const listed = await eventually(
      () => router.admin.get("tenants/acme/events?outcome=unmatched"),
      ({ body }) => body.items.length > 0,
    );
    expect(listed.body.items).toMatchObject([{ id: accepted.id, outcome: "unmatched" }]);
  });

  it("is explained for every rule of now: what matches, then the nearest misses", async () => {
    const { admin } = router;
    const rule = { priority: "bulk", targets: ["sink"] };
    const near = { type: ["webhook"], data: { kind: ["order"], total: [{ numeric: [">", 50] }] } };
    await admin.put("tenants/acme/rules/near", { ...rule, pattern: near });
    await admin.put("tenants/acme/rules/far", {
      ...rule,
      pattern: { type: ["a"], subject: ["b"] },
    });
    const body = '{"kind":"order","total":5}';
    const accepted = (await (await router.send("acme/open", { body })).json()) as { id: string };
    await admin.put("tenants/acme/rules/later", {
      ...rule,
      enabled: false,
      pattern: { data: { total: [5] } },
    });
    const path = `tenants/acme/events/${accepted.id}/explain`;
    const { body: explained } = await eventually(
      () => admin.get(path),
      ({ status }) => status === 200,
    );
    expect(explained).toMatchObject({
      event: { id: accepted.id, data: { total: 5 } },
      rules: [
        { rule: "later", matched: true, enabled: false, chosen: false },
        { rule: "orders", matched: true, enabled: true, chosen: true },
        { rule: "near", matched: false },
        { rule: "far", matched: false, explanation: [{ ok: false }, { ok: false }] },
      ],
      total: 4,
      complete: true,
    });
    const misses = explained.rules[2].explanation.filter(({ ok }: { ok: boolean }) => !ok);
    expect(misses).toMatchObject([{ path: "/data/total", operator: "numeric", actual: 5 }]);
    expect((await admin.get(`${path}?limit=1`)).body.rules).toHaveLength(1);
    await admin.put("tenants/other", {});
    expect((await admin.get(path.replace("acme", "other"))).status).toBe(404);
  });
});
