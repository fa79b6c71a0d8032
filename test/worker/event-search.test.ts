/** Events found by what was in them, through the admin route. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PATTERN_DEPTH_MAX } from "../../src/core/pattern/limits.ts";
import { sendTotals } from "../support/past.ts";
import { type Router, startRouter } from "../support/router.ts";

let router: Router;
/** Ids of the events that came, in order: totals 1 to 5, the last with a body too big for a message. */
let came: string[] = [];

/** Totals above 2. */
const PATTERN = { data: { total: [{ numeric: [">", 2] }] } };

beforeAll(async () => {
  router = await startRouter();
  for (const tenant of ["acme", "other"]) await router.admin.put(`tenants/${tenant}`, {});
  came = await sendTotals(router, "acme");
});
afterAll(() => router?.stop());

const search = (body: object, query = "", tenant = "acme") =>
  router.admin.post(`tenants/${tenant}/events/search${query}`, body);

const idsOf = ({ body }: Awaited<ReturnType<typeof search>>): string[] =>
  body.items.map(({ id }: { id: string }) => id);

describe("a search for events", () => {
  it("answers those that match as the list of events does, newest first", async () => {
    const found = await search({ pattern: PATTERN });
    expect(found.status).toBe(200);
    const { body: listed } = await router.admin.get("tenants/acme/events?limit=3");
    expect(found.body.items).toEqual(listed.items);
    expect(found.body).toMatchObject({ cursor: null, examined: 5, notArchived: 0 });
    expect(idsOf(found)).toEqual(came.slice(2).toReversed());
  });

  it("goes on where its cursor says, and misses nothing between", async () => {
    const ids: string[] = [];
    for (let query = "?limit=1"; ; ) {
      const page = await search({ pattern: PATTERN }, query);
      ids.push(...idsOf(page));
      if (page.body.cursor === null) break;
      expect(page.body.searchedTo).toBe(page.body.items[0].receivedAt);
      query = `?limit=1&cursor=${page.body.cursor}`;
    }
    expect(ids).toEqual(came.slice(2).toReversed());
  });

  it("looks only at what is asked for: a time, a source, a type, an outcome", async () => {
    const { body } = await router.admin.get(`tenants/acme/events/${came[3]}`);
    const from = body.receivedAt;
    expect(idsOf(await search({ pattern: PATTERN, from }))).toEqual([came[4], came[3]]);
    expect(idsOf(await search({ pattern: PATTERN, to: from }))).toEqual([came[2]]);
    for (const other of [{ source: "none" }, { type: "none" }, { outcome: "matched" }]) {
      const found = await search({ pattern: PATTERN, ...other });
      expect(found.body).toMatchObject({ items: [], examined: 0, searchedTo: null, cursor: null });
    }
    const same = { source: "open", type: "webhook", outcome: "unmatched" };
    expect(idsOf(await search({ pattern: PATTERN, ...same }))).toHaveLength(3);
  });

  it("sees nothing of another tenant, and takes no cursor that was given out for one", async () => {
    expect((await search({ pattern: PATTERN }, "", "other")).body.examined).toBe(0);
    const { body } = await search({ pattern: PATTERN }, "?limit=1");
    const refused = await search({ pattern: PATTERN }, `?cursor=${body.cursor}`, "other");
    expect(refused).toMatchObject({
      status: 400,
      body: { detail: expect.stringMatching(/tenant/) },
    });
  });

  it("is refused with every fault of its pattern, as a test of the pattern names them", async () => {
    const pattern = { type: "bare", data: { n: [{ numeric: ["!", 1] }] } };
    const refused = await search({ pattern });
    expect(refused.status).toBe(422);
    const tested = await router.admin.post("tenants/acme/rules/test", { pattern, event: {} });
    expect(refused.body.errors).toEqual(tested.body.errors);
    expect(refused.body.errors).toHaveLength(2);
  });

  const deep = (levels: number): object => (levels === 0 ? { a: ["x"] } : { a: deep(levels - 1) });
  it.each([
    ["no pattern", {}, "/pattern"],
    ["a pattern past its bounds", { pattern: deep(PATTERN_DEPTH_MAX) }, "/pattern/a/a"],
    [
      "a slice that ends before it starts",
      { from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" },
      "/to",
    ],
    ["an empty slice", { from: "2026-01-02T00:00:00Z", to: "2026-01-02T00:00:00Z" }, "/to"],
    ["no time", { from: "yesterday" }, "/from"],
    ["no outcome", { outcome: "lost" }, "/outcome"],
    ["what it does not know", { since: "yesterday" }, "/since"],
  ])("is refused with %s, where the fault is", async (_, body, pointer) => {
    const sent = pointer.startsWith("/pattern") ? body : { pattern: PATTERN, ...body };
    const refused = await search(sent);
    expect(refused.status).toBe(422);
    expect(refused.body.errors[0].pointer.startsWith(pointer)).toBe(true);
    expect((await search(sent, "", "nobody")).status).toBe(404);
  });

  it.each(["?limit=0", "?limit=1001", "?limit=many", "?cursor=nonsense", "?cursor=WzFd"])(
    "is refused with %s",
    async (query) => {
      expect((await search({ pattern: PATTERN }, query)).status).toBe(400);
    },
  );
});
