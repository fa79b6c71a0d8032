/** Where instances of sagas are found: D1 and the simulation's memory answer alike. */
import { beforeAll, describe, expect, it } from "vitest";
import { createSagaDirectory } from "../../src/adapters/d1/saga-index.ts";
import type { SagaQuery, SagaSummary } from "../../src/ports/saga-index.ts";
import { createMemorySagaIndex } from "../support/memory-sagas.ts";
import { costOf, freshTenant, SUBJECTS, session } from "./ledgers.ts";

const DIRECTORIES = [
  { name: "D1", directory: createSagaDirectory(session) },
  { name: "memory", directory: createMemorySagaIndex() },
];

describe.each(DIRECTORIES)("the index in $name", ({ directory }) => {
  let tenant = "";
  const summary = (id: string, more: Partial<SagaSummary> = {}): SagaSummary => ({
    ...{ id, tenant, saga: "order", version: 1, key: id, correlationId: null, status: "RUNNING" },
    ...{ paused: false, step: null, reason: null, rev: 1, dueAtMs: null },
    ...{ startedAtMs: 1_000, updatedAtMs: 1_000 },
    ...more,
  });
  const idsOf = async (
    query = {},
    after: Parameters<typeof directory.list>[2] = null,
    count = 10,
  ) => (await directory.list(tenant, query, after, count)).items.map(({ id }) => id);

  beforeAll(async () => {
    tenant = freshTenant();
    await SUBJECTS[0]?.ensure([tenant]);
  });

  it("begins an instance once, knows it before it has begun, and forgets a later start of it", async () => {
    const begun = summary("a", { status: "STARTING", rev: 0 });
    const again = { ...begun, startedAtMs: 9_000 };
    for (const each of [begun, begun, again]) await directory.begin(each);
    expect(await idsOf()).toEqual(["a", "a"]);
    await directory.forget(again);
    const { items } = await directory.list(tenant, {}, null, 10);
    expect(items).toEqual([summary("a", { status: "STARTING", rev: 0 })]);
  });

  it("takes no older summary than it has", async () => {
    await directory.put(summary("a", { rev: 3, status: "STUCK", reason: "why" }));
    await directory.put(summary("a", { rev: 2 }));
    const { items } = await directory.list(tenant, {}, null, 10);
    expect(items).toMatchObject([{ rev: 3, status: "STUCK", reason: "why" }]);
    await directory.put(summary("a", { rev: 3, status: "STUCK", reason: "why", dueAtMs: 5 }));
    expect((await directory.list(tenant, {}, null, 10)).items[0]?.dueAtMs).toBe(5);
  });

  it("lists the newest first, page by page, by saga, status and correlation id", async () => {
    await directory.put(summary("b", { startedAtMs: 2_000, correlationId: "o-1" }));
    await directory.put(summary("c", { startedAtMs: 2_000, correlationId: "o-1", saga: "refund" }));
    await directory.put(summary("d", { startedAtMs: 3_000 }));
    expect(await idsOf()).toEqual(["d", "c", "b", "a"]);
    const first = await directory.list(tenant, {}, null, 2);
    expect(first.items.map(({ id }) => id)).toEqual(["d", "c"]);
    expect(await idsOf({}, first.next, 2)).toEqual(["b", "a"]);
    expect((await directory.list(tenant, {}, first.next, 2)).next).toBeNull();
    expect(await idsOf({ saga: "refund" })).toEqual(["c"]);
    expect(await idsOf({ status: "STUCK" })).toEqual(["a"]);
    expect(await idsOf({ correlationId: "o-1" })).toEqual(["c", "b"]);
    expect(await idsOf({ correlationId: "o-1", saga: "order" })).toEqual(["b"]);
    expect(await idsOf({ correlationId: "o-2" })).toEqual([]);
  });

  it("finds by step, by pause, by age and by what has not ended, and counts no further than asked", async () => {
    const other = freshTenant();
    await SUBJECTS[0]?.ensure([other]);
    const put = (id: string, more: Partial<SagaSummary>) =>
      directory.put({ ...summary(id, more), tenant: other });
    await put("p", { step: "pay", startedAtMs: 1_000 });
    await put("q", { step: "pay", startedAtMs: 2_000, paused: true, correlationId: "o-1" });
    await put("r", { status: "FAILED", startedAtMs: 3_000, correlationId: "o-1" });
    await put("s", { status: "STARTING", startedAtMs: 4_000 });
    const found = async (query: SagaQuery) => {
      const { items } = await directory.list(other, query, null, 10);
      expect(await directory.count(other, query, 10)).toBe(items.length);
      return items.map(({ id }) => id).join("");
    };
    expect(await found({ step: "pay" })).toBe("qp");
    expect(await found({ paused: false })).toBe("srp");
    expect(await found({ isOpen: true })).toBe("sqp");
    expect(await found({ isOpen: true, correlationId: "o-1" })).toBe("q");
    expect(await found({ fromMs: 2_000, toMs: 4_000 })).toBe("rq");
    expect(await found({ correlationId: "o-1", toMs: 3_000, step: "pay", paused: true })).toBe("q");
    const first = await directory.list(other, { toMs: 4_000 }, null, 1);
    const second = await directory.list(other, { toMs: 4_000 }, first.next, 1);
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(["r", "q"]);
    expect(await directory.count(other, {}, 3)).toBe(3);
  });

  it("finds those that are overdue, the longest first", async () => {
    await directory.put(summary("e", { startedAtMs: 4_000, status: "STARTING", dueAtMs: 2 }));
    const mine = (await directory.overdue(6, 1_000)).filter((each) => each.tenant === tenant);
    expect(mine).toEqual([
      { tenant, id: "e", startedAtMs: 4_000, isStarting: true },
      { tenant, id: "a", startedAtMs: 1_000, isStarting: false },
    ]);
    const before = await directory.overdue(5, 1_000);
    expect(before.filter((each) => each.tenant === tenant).map(({ id }) => id)).toEqual(["e"]);
  });

  it("tells what a tenant left, and forgets it", async () => {
    const left = await directory.ofTenant(tenant, 2_500, 10);
    expect(left.map(({ id }) => id).toSorted()).toEqual(["a", "b", "c"]);
    for (const entry of left) if (entry.id === "b") await directory.forget(entry);
    expect(await idsOf()).toEqual(["e", "d", "c", "a"]);
  });
});

it("costs three rows for an instance that starts and ends, and one more where it has a correlation id", async () => {
  const tenant = freshTenant();
  await SUBJECTS[0]?.ensure([tenant]);
  const directory = createSagaDirectory(session);
  const live = async (id: string, correlationId: string | null) => {
    const entry = {
      ...{
        id,
        tenant,
        saga: "s",
        version: 1,
        key: "k",
        correlationId,
        startedAtMs: 1,
        updatedAtMs: 1,
      },
      ...{ paused: false, step: null, reason: null },
    };
    await directory.begin({ ...entry, status: "STARTING", rev: 0, dueAtMs: 2 });
    await directory.put({ ...entry, status: "COMPLETED", rev: 5, dueAtMs: null });
  };
  expect(await costOf(() => live("x", null))).toEqual({ rows: 3, trips: 2 });
  expect(await costOf(() => live("y", "o-1"))).toEqual({ rows: 4, trips: 2 });
});

it("takes nothing of a tenant that is gone", async () => {
  const directory = createSagaDirectory(session);
  const gone = { ...{ id: "x", tenant: "gone", saga: "s", version: 1, key: "k" } };
  const summary = {
    ...({ ...gone, correlationId: null, status: "RUNNING", paused: false, step: null } as const),
    ...{ reason: null, rev: 1, dueAtMs: null, startedAtMs: 1, updatedAtMs: 1 },
  };
  await directory.begin(summary);
  await directory.put(summary);
  expect((await directory.list("gone", {}, null, 10)).items).toEqual([]);
});
