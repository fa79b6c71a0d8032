/** A pattern tried on the past through the admin route: what it would have matched, beside what a rule does. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sendTotals } from "../support/past.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;
/** Ids of the events that came, in order: totals 1 to 5, the last with a body too big for a message. */
let came: string[] = [];

const RULE = { pattern: { data: { total: [1, 2, 3] } }, priority: "normal", targets: ["a"] };
/** Totals above 2. */
const PATTERN = { data: { total: [{ numeric: [">", 2] }] } };

beforeAll(async () => {
  router = await startRouter();
  for (const tenant of ["acme", "other"]) await router.admin.put(`tenants/${tenant}`, {});
  const path = "tenants/acme";
  const target = { kind: "http", url: "http://127.0.0.1:9/", paused: true };
  await router.admin.put(`${path}/targets/a`, target);
  await router.admin.put(`${path}/rules/present`, RULE);
  came = await sendTotals(router, "acme");
});
afterAll(() => router?.stop());

const preview = (body: object, tenant = "acme") =>
  router.admin.post(`tenants/${tenant}/rules/preview`, body);

describe("a pattern over the past", () => {
  it("names what it would have matched, newest first, and what it was tried on", async () => {
    const { status, body } = await preview({ pattern: PATTERN });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...{ examined: 5, complete: true, matched: 3, compared: null },
      events: came.slice(2).toReversed(),
      from: expect.stringMatching(/Z$/),
      to: expect.stringMatching(/Z$/),
      // What came within seconds says nothing of a day.
      perDay: null,
    });
    expect(body.from < body.to).toBe(true);
  });

  it("is tried on as many of the newest as are wished", async () => {
    const { body } = await preview({ pattern: PATTERN, events: 2 });
    expect(body).toMatchObject({ examined: 2, complete: true, events: [came[4], came[3]] });
  });

  it("tells what it matches that a rule's present pattern does not, and the reverse", async () => {
    const { body: rule } = await router.admin.get("tenants/acme/rules/present");
    const { body } = await preview({ pattern: PATTERN, rule: "present" });
    expect(body.compared).toEqual({
      ...{ rule: "present", version: rule.version, matched: 3 },
      added: [came[4], came[3]],
      removed: [came[1], came[0]],
    });
    const same = await preview({ pattern: RULE.pattern, rule: "present" });
    expect(same.body.compared).toMatchObject({ matched: 3, added: [], removed: [] });
  });

  it("is tried on nothing of another tenant, nor of a tenant of this name that was deleted", async () => {
    const empty = { examined: 0, complete: true, matched: 0, events: [], from: null, to: null };
    expect((await preview({ pattern: PATTERN }, "other")).body).toMatchObject(empty);
    await router.admin.request("DELETE", "tenants/acme");
    expect((await preview({ pattern: PATTERN })).status).toBe(404);
    await router.admin.put("tenants/acme", {});
    expect((await preview({ pattern: PATTERN })).body).toMatchObject(empty);
  });

  it("is refused with the faults that saving it would name", async () => {
    const pattern = { type: "bare", data: { n: [{ numeric: ["!", 1] }] } };
    const refused = await preview({ pattern, rule: "nothing" }, "other");
    expect(refused.status).toBe(422);
    const tested = await router.admin.post("tenants/other/rules/test", { pattern, event: {} });
    const { errors } = refused.body;
    expect(errors).toEqual(expect.arrayContaining(tested.body.errors));
    expect(errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      ...["/pattern/type", "/pattern/data/n/0/numeric", "/rule"],
    ]);
  });

  it.each([
    ["no pattern", {}, "/pattern"],
    ["no event", { pattern: PATTERN, events: 0 }, "/events"],
    ["more events than it reads", { pattern: PATTERN, events: 1_001 }, "/events"],
    ["a part of an event", { pattern: PATTERN, events: 1.5 }, "/events"],
    ["what is no name", { pattern: PATTERN, rule: "No Name" }, "/rule"],
    ["what it does not know", { pattern: PATTERN, since: "yesterday" }, "/since"],
  ])("is refused with %s, where the fault is", async (_, body, pointer) => {
    const refused = await preview(body, "other");
    expect(refused.status).toBe(422);
    expect(refused.body.errors[0].pointer).toBe(pointer);
    expect((await preview(body, "nobody")).status).toBe(404);
  });
});
