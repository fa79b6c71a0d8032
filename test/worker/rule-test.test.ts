/** Trying a pattern through the admin route: on an event sent along, on one that came, on several. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted } from "../support/ingest-answer.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let stored: string;

beforeAll(async () => {
  router = await startRouter();
  for (const tenant of ["acme", "other"]) await router.admin.put(`tenants/${tenant}`, {});
  await router.admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  stored = (await accepted(router.send("acme/open", { body: '{"total":5}' }))).id;
  const path = `tenants/acme/events/${stored}`;
  await eventually(
    () => router.admin.get(path),
    ({ body }) => body.archived === true,
  );
});
afterAll(() => router?.stop());

const PATTERN = { data: { total: [{ numeric: [">", 3] }] } };
const tryOn = (body: object, tenant = "acme") =>
  router.admin.request("POST", `tenants/${tenant}/rules/test`, { pattern: PATTERN, ...body });

describe("a pattern", () => {
  it("is tried on an event that came, as its rules saw it", async () => {
    const { status, body } = await tryOn({ eventId: stored });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      matched: true,
      explanation: [{ path: "/data/total", actual: 5 }],
    });
  });

  it("is tried on several events, and told which of them are not as they must be", async () => {
    const cases = [
      { eventId: stored, matches: true },
      { event: { data: { total: 3 } }, matches: false },
      { event: { data: { total: "4" } }, matches: true },
    ];
    const { body } = await tryOn({ cases });
    expect(body).toMatchObject({
      passed: false,
      cases: [
        { ok: true, matched: true },
        { ok: true, matched: false },
        { ok: false, matched: false, explanation: [{ actual: "4", ok: false }] },
      ],
    });
    expect((await tryOn({ cases: cases.slice(0, 2) })).body.passed).toBe(true);
  });

  it("is not tried on an event of another tenant, nor on one that never came", async () => {
    expect((await tryOn({ eventId: stored }, "other")).status).toBe(404);
    expect((await tryOn({ cases: [{ eventId: "evt_none", matches: true }] })).status).toBe(404);
  });

  it.each([
    ["without any event", {}, ["/event"]],
    ["on what is no event", { event: [1] }, ["/event"]],
    ["on an event and another that came", { event: {}, eventId: "evt_1" }, ["/eventId"]],
    [
      "on one event and on several",
      { event: {}, cases: [{ event: {}, matches: true }] },
      ["/cases"],
    ],
    ["on what is no list of cases", { cases: "all" }, ["/cases"]],
    ["on no cases", { cases: [] }, ["/cases"]],
    ["on a case without an event", { cases: [{ matches: true }] }, ["/cases/0/event"]],
    ["on a case without a wish", { cases: [{ event: {} }] }, ["/cases/0/matches"]],
  ])("is refused %s, where the fault is", async (_, body, pointers) => {
    const refused = await tryOn(body);
    expect(refused.status).toBe(422);
    expect(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      pointers,
    );
  });
});
