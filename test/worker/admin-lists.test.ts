/** Lists: walked by cursor they show everything once; what is no cursor or no size is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accepted, acceptedBatch } from "../support/ingest-answer.ts";
import { adminOperations, filled } from "../support/openapi.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { eventually } from "../support/wait.ts";

let router: Router;
let receiver: Receiver;
/** Ids that each list holds, by its path. */
const expected: Record<string, string[]> = {};
let lists: string[];

const SEARCH = "/admin/tenants/{tenant}/events/search";

const names = Array.from({ length: 7 }, (_, at) => `item-${at}`);

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  for (const name of names) {
    await admin.put(`tenants/${name}`, {});
    await admin.put(`tenants/item-0/sources/${name}`, { verify: { scheme: "none" } });
    await admin.put(`tenants/item-0/targets/${name}`, { kind: "http", url: receiver.url });
  }
  for (const name of names) {
    const targets = [name];
    const rule = { pattern: { source: ["item-0"] }, priority: "critical", targets };
    await admin.put(`tenants/item-0/rules/${name}`, rule);
  }
  const steps = [{ name: "a", approve: { timeoutSeconds: 3_600 } }];
  const instances: string[] = [];
  for (const name of names) {
    await admin.put(`tenants/item-0/sagas/${name}`, { steps });
    const started = await admin.post(`tenants/item-0/sagas/${name}/instances`, { input: {} });
    instances.unshift(started.body.id);
  }
  expected["/admin/tenants/{tenant}/saga-instances"] = instances;
  const { body: saga } = await admin.get("tenants/item-0/sagas/item-0");
  expected["/admin/tenants/{tenant}/sagas/{saga}/versions"] = [`${saga.version}`];
  const versions = [];
  for (const description of ["first", "second", "third"]) {
    const rule = { pattern: { source: ["item-0"] }, priority: "critical", targets: ["item-0"] };
    const put = await admin.put("tenants/item-0/rules/item-0", { ...rule, description });
    versions.push(`${put.body.version}`);
  }
  const first = (await admin.get("tenants/item-0/rules/item-0/versions")).body.items.at(-1);
  expected["/admin/tenants/{tenant}/rules/{rule}/versions"] = [...versions, nameOf(first)];
  const fannedOut = await fanOutLists();
  // One batch: its events have the same time, so that only their ids tell them apart.
  const batch = Array.from({ length: 5 }, (_, id) => {
    return { specversion: "1.0", id: `${id}`, source: "/lists", type: "t" };
  });
  const events = await acceptedBatch(
    router.send("item-0/item-0", {
      headers: { "content-type": "application/cloudevents-batch+json" },
      body: JSON.stringify(batch),
    }),
  );
  const { body } = await eventually(
    () => admin.get("tenants/item-0/deliveries?state=delivered"),
    ({ body }) => body.items.length === events.length * names.length + fannedOut.length,
  );
  for (const kind of ["sources", "targets", "rules", "sagas"]) {
    expected[`/admin/tenants/{tenant}/${kind}`] = names;
  }
  expected["/admin/tenants"] = names;
  const all = [...events.map(({ id }) => id), ...fannedOut];
  expected["/admin/tenants/{tenant}/events"] = all;
  expected[SEARCH] = all;
  expected["/admin/tenants/{tenant}/deliveries"] = body.items.map(({ id }: { id: string }) => id);
  expected["/admin/waiting"] = await waitingTargets();
  for (const _ of names) await router.enqueuePoison(Uint8Array.of(255));
  const poison = await eventually(
    () => admin.get("poison-messages"),
    ({ body }) => body.items.length === names.length,
  );
  expected["/admin/poison-messages"] = poison.body.items.map(({ id }: { id: string }) => id);
  for (const _ of names) await admin.post("tenants/item-0/dead-letters/redrive", {});
  const replays: string[] = [];
  for (const reason of ["first", "second", "third"]) {
    const past = { from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z" };
    const replay = await admin.post("tenants/item-0/replays", { ...past, reason });
    replays.unshift(replay.body.id);
  }
  expected["/admin/tenants/{tenant}/replays"] = replays;
  const jobs = (await admin.get("jobs")).body.items.map(({ id }: { id: string }) => id);
  expect(jobs).toHaveLength(names.length);
  expected["/admin/jobs"] = jobs;
  for (const path of ["/admin/audit", "/admin/tenants/{tenant}/audit"]) {
    const { body: log } = await admin.get(`${addressOf(path)}?limit=1000`);
    expect(log.items.length, path).toBeGreaterThan(5 * names.length);
    expected[path] = log.items.map(({ id }: { id: string }) => id);
  }
  lists = (await adminOperations(router.url))
    .filter(({ parameters }) => parameters.some(({ name }) => name === "cursor"))
    .map(({ path }) => path);
});
afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

/** Paused targets of a tenant of their own, for each of which something is parked. */
async function waitingTargets(): Promise<string[]> {
  const { admin } = router;
  const targets = names.map((name) => `waits-${name}`);
  await admin.put("tenants/item-2/sources/open", { verify: { scheme: "none" } });
  for (const target of targets) {
    const held = { kind: "http", url: receiver.url, paused: true };
    await admin.put(`tenants/item-2/targets/${target}`, held);
  }
  const pattern = { source: ["open"] };
  await admin.put("tenants/item-2/rules/all", { pattern, priority: "critical", targets });
  await accepted(router.send("item-2/open", { body: "{}" }));
  await eventually(
    () => admin.get("waiting"),
    ({ body }) => body.items.length === targets.length,
  );
  return targets;
}

/** Lists that are fanned out, newest first, by a rule that is gone then; answers the ids of their events. */
async function fanOutLists(): Promise<string[]> {
  const { admin } = router;
  const rule = { pattern: { source: ["item-1"] }, priority: "critical", targets: ["item-1"] };
  await admin.put("tenants/item-0/rules/lists", { ...rule, forEach: "$.data.list" });
  const events: string[] = [];
  const fanOuts: string[] = [];
  for (const n of names.keys()) {
    const { id } = await accepted(
      router.send("item-0/item-1", { body: JSON.stringify({ n, list: [] }) }),
    );
    events.unshift(id);
    const { body } = await eventually(
      () => admin.get("tenants/item-0/fan-outs"),
      ({ body }) => body.items[0]?.eventId === id,
    );
    fanOuts.unshift(body.items[0].id);
  }
  await admin.request("DELETE", "tenants/item-0/rules/lists");
  expected["/admin/tenants/{tenant}/fan-outs"] = fanOuts;
  return events;
}

/** What tells an item of a list from the others. */
const nameOf = ({ id, target, version }: Partial<Record<"id" | "target" | "version", string>>) =>
  id ?? target ?? `${version}`;

const addressOf = (path: string) =>
  filled(path, { tenant: "item-0", rule: "item-0", saga: "item-0" }).replace("/admin/", "");

/** A page of a list; one that is asked for with a body gets one that leaves nothing out. */
const ask = (path: string, query: string) => {
  const address = `${addressOf(path)}?${query}`;
  const everything = { pattern: { id: [{ exists: true }] } };
  return path === SEARCH ? router.admin.post(address, everything) : router.admin.get(address);
};

/** Pages of a list, from the first to the one without a cursor. */
async function walk(path: string, limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { status, body } = await ask(path, `limit=${limit}${next}`);
    expect(status, path).toBe(200);
    pages.push(body.items.map(nameOf));
    cursor = body.cursor;
  } while (cursor !== null && pages.length < 100);
  return pages;
}

describe("every list", () => {
  it("shows each item exactly once, page by page", async () => {
    expect(lists).toEqual(expect.arrayContaining(Object.keys(expected)));
    for (const path of lists) {
      const pages = await walk(path, 2);
      expect(pages.flat().sort(), path).toEqual([...(expected[path] ?? [])].sort());
      expect(
        pages.every((page) => page.length <= 2),
        path,
      ).toBe(true);
    }
  });

  it("has the same order in one page as in many, and no cursor after the last item", async () => {
    for (const path of lists) {
      const [whole = [], ...more] = await walk(path, (expected[path] ?? []).length);
      expect(more, path).toEqual([]);
      expect((await walk(path, 3)).flat(), path).toEqual(whole);
    }
  });

  it("refuses a cursor that was not given out for it", async () => {
    const made = [btoa("[]"), btoa('["a","b","c","d"]'), btoa('{"length":1}'), btoa("[null]")];
    for (const path of lists) {
      for (const cursor of ["", "zzz", "%00", "💥", ...made]) {
        const answer = await ask(path, `cursor=${encodeURIComponent(cursor)}`);
        expect(answer.status, `${path} ${cursor}`).toBe(400);
        expect(answer.body.type, path).toMatch(/malformed-request$/);
      }
    }
  });

  it("refuses a limit that is no number from 1 to 1000, and names the parameter", async () => {
    for (const path of lists) {
      for (const limit of ["0", "1001", "-1", "1.5", "many", ""]) {
        const answer = await ask(path, `limit=${limit}`);
        expect(answer, `${path} ${limit}`).toMatchObject({
          status: 400,
          body: { errors: [{ pointer: "?limit" }] },
        });
      }
    }
  });
});

describe("the list of deliveries", () => {
  const PATH = "tenants/item-0/deliveries";

  it("is narrowed by state, target, rule, event and time", async () => {
    const count = async (query: string) =>
      (await router.admin.get(`${PATH}?${query}`)).body.items.length;
    const [event] = expected["/admin/tenants/{tenant}/events"] ?? [];
    expect(await count("target=item-3")).toBe(5);
    expect(await count("rule=item-3&target=item-3&state=delivered")).toBe(5);
    expect(await count("rule=item-3&target=item-4")).toBe(0);
    expect(await count(`event=${event}`)).toBe(7);
    expect(await count("state=dead")).toBe(0);
    expect(await count("from=2999-01-01T00:00:00Z")).toBe(0);
    expect(await count("to=2999-01-01T00:00:00Z")).toBe(42);
  });

  it.each(["state=unmatched", "state=lost", "from=yesterday", "to=2026-02-30T00:00:00Z"])(
    "refuses %s",
    async (query) => {
      const answer = await router.admin.get(`${PATH}?${query}`);
      const pointer = `?${query.split("=")[0]}`;
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
    },
  );
});
