/** A rule tried on live traffic: it matches and is counted, and nobody receives anything by it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  router = await startRouter();
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const ruleOf = (mode?: "live" | "shadow", kind = "order") => ({
  pattern: { data: { kind: [kind] } },
  ...{ priority: "critical", targets: ["pager"] },
  ...(mode === undefined ? {} : { mode }),
});

async function prepare(tenant: string): Promise<string> {
  const path = `tenants/${tenant}`;
  await router.admin.put(path, {});
  await router.admin.put(`${path}/sources/open`, { verify: { scheme: "none" } });
  const target = { kind: "http", url: `${receiver.url}/${tenant}` };
  await router.admin.put(`${path}/targets/pager`, target);
  return path;
}

let sent = 0;
const send = (tenant: string, kind = "order") => {
  sent += 1;
  return accepted(router.send(`${tenant}/open`, { body: JSON.stringify({ kind, sent }) }));
};

/** What the rule says of itself once it has matched so many. */
const shadowOf = async (path: string, matched: number) =>
  (
    await eventually(
      () => router.admin.get(`${path}/rules/tried`),
      ({ body }) => body.shadow.matched >= matched,
    )
  ).body.shadow;

describe("a shadow rule", () => {
  it("counts what it matches, also when no event comes after, and says since when", async () => {
    const path = await prepare("counts");
    const { body: put } = await router.admin.put(`${path}/rules/tried`, ruleOf("shadow"));
    expect(put).toMatchObject({
      ...{ mode: "shadow", shadow: { matched: 0, since: put.updatedAt, lastMatchedAt: null } },
    });
    for (const kind of ["order", "other", "order", "order"]) await send("counts", kind);
    const shadow = await shadowOf(path, 3);
    expect(shadow).toEqual({
      ...{ matched: 3, since: put.updatedAt, lastMatchedAt: expect.stringMatching(/Z$/) },
    });
    expect(shadow.lastMatchedAt >= shadow.since).toBe(true);
    const { body: list } = await router.admin.get(`${path}/rules`);
    expect(list.items).toMatchObject([{ id: "tried", shadow }]);
  });

  it("delivers nothing: what only it matches is unmatched, and the rest goes where live rules say", async () => {
    const path = await prepare("silent");
    await router.admin.put(`${path}/rules/tried`, ruleOf("shadow"));
    const only = await send("silent");
    expect(only).toMatchObject({ deliveries: 0 });
    await router.admin.put(`${path}/rules/live`, ruleOf());
    const both = await eventually(
      () => send("silent"),
      ({ deliveries }) => deliveries > 0,
    );
    expect(both).toMatchObject({ deliveries: 1 });
    const { body: event } = await eventually(
      () => router.admin.get(`${path}/events/${both.id}`),
      ({ body }) => body.deliveries?.[0]?.state === "delivered",
    );
    expect(event.deliveries).toMatchObject([{ rule: "live", state: "delivered" }]);
    const { body: unmatched } = await eventually(
      () => router.admin.get(`${path}/events/${only.id}`),
      ({ status }) => status === 200,
    );
    expect(unmatched).toMatchObject({ outcome: "unmatched", deliveries: [] });
    const { body: deliveries } = await router.admin.get(`${path}/deliveries?rule=tried`);
    expect(deliveries.items).toEqual([]);
  });

  it("is told apart from the live ones that chose an event", async () => {
    const path = await prepare("explained");
    await router.admin.put(`${path}/rules/tried`, ruleOf("shadow"));
    await router.admin.put(`${path}/rules/live`, ruleOf());
    const { id } = await send("explained");
    const explained = await eventually(
      () => router.admin.get(`${path}/events/${id}/explain`),
      ({ status }) => status === 200,
    );
    expect(explained.body.rules).toMatchObject([
      { rule: "live", matched: true, mode: "live", chosen: true },
      { rule: "tried", matched: true, mode: "shadow", chosen: false },
    ]);
  });

  it("counts anew with each change, and no more when it goes live", async () => {
    const path = await prepare("changed");
    await router.admin.put(`${path}/rules/tried`, ruleOf("shadow"));
    await send("changed");
    await shadowOf(path, 1);
    const { body: changed } = await router.admin.put(
      `${path}/rules/tried`,
      ruleOf("shadow", "other"),
    );
    expect(changed.shadow).toEqual({ matched: 0, since: changed.updatedAt, lastMatchedAt: null });
    await send("changed", "other");
    expect(await shadowOf(path, 1)).toMatchObject({ matched: 1 });
    // What was read may be sent back: its figures are not the caller's to set.
    const { body: read } = await router.admin.get(`${path}/rules/tried`);
    const live = await router.admin.put(`${path}/rules/tried`, { ...read, mode: "live" });
    expect(live.body).not.toHaveProperty("shadow");
    expect(await send("changed", "other")).toMatchObject({ deliveries: 1 });
  });

  it("costs no row of the ledger and few of its limiter's, however many events it matches", async () => {
    const path = await prepare("costs");
    await router.admin.put(`${path}/rules/tried`, ruleOf("shadow"));
    await send("costs");
    await shadowOf(path, 1);
    const before = (await router.admin.get("counters")).body;
    const events = 200;
    await Promise.all(Array.from({ length: events }, () => send("costs")));
    await shadowOf(path, events + 1);
    const after = (await router.admin.get("counters")).body;
    const more = (counter: string): number => after[counter] - before[counter];
    expect(more("durable_object_rows_written")).toBeLessThan(events / 4);
    // As an event that nothing matches: its claim, and that it went nowhere.
    expect(more("d1_rows_written")).toBeLessThanOrEqual(2 * (events + 10));
  });

  it("of another mode than these is refused", async () => {
    const path = await prepare("refused");
    const body = { ...ruleOf(), mode: "dry-run" };
    const refused = await router.admin.request("PUT", `${path}/rules/tried`, body);
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: "/mode" }] } });
    expect(refused.body.errors[0].detail).toContain("shadow");
  });
});
