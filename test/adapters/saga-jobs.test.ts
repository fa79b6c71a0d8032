/** Commands for many instances of sagas: D1 and the memory of the flows' tests keep them alike. */
import { beforeAll, describe, expect, it } from "vitest";
import { createJobs } from "../../src/adapters/d1/jobs.ts";
import { createSagaJobs } from "../../src/adapters/d1/saga-jobs.ts";
import type { SagaJobProgress } from "../../src/ports/saga-jobs.ts";
import { createMemorySagaJobs } from "../support/memory-saga-jobs.ts";
import { freshTenant, session } from "./ledgers.ts";

const STORES = [
  { name: "D1", jobs: createSagaJobs(session) },
  { name: "memory", jobs: createMemorySagaJobs() },
];

describe.each(STORES)("the jobs in $name", ({ name, jobs }) => {
  const tenant = freshTenant();
  const id = `job_${name}`;
  const command = { kind: "pause", reason: "a test" } as const;
  const query = { saga: "order", isOpen: true, toMs: 9 };
  const start: SagaJobProgress = { after: null, finished: 0, refusals: [] };
  const page: SagaJobProgress = {
    ...{ after: { startedAtMs: 1, id: "sga_1" }, finished: 2 },
    refusals: [{ detail: "It is paused already.", count: 1, instances: ["sga_1"] }],
  };
  const mine = async () => (await jobs.running(100)).filter((job) => job.tenant === tenant);

  beforeAll(() => jobs.create({ tenant, id, command, query }, 3, null));

  it("run from the start, with what was asked", async () => {
    expect(await mine()).toEqual([{ tenant, id, command, query, progress: start }]);
  });

  it("write down a page of who was first, and of nobody who comes after", async () => {
    expect(await jobs.advance({ tenant, id }, start, page, false)).toBe("written");
    expect(await jobs.advance({ tenant, id }, start, page, false)).toBe("lost");
    expect(await jobs.advance({ tenant: "other", id }, page, page, true)).toBe("lost");
    expect((await mine()).map(({ progress }) => progress)).toEqual([page]);
  });

  it("end, and are written no more", async () => {
    const all = { ...page, finished: 3 };
    expect(await jobs.advance({ tenant, id }, page, all, true)).toBe("written");
    expect(await mine()).toEqual([]);
    expect(await jobs.advance({ tenant, id }, all, page, true)).toBe("lost");
    expect(await jobs.cancel({ tenant, id }, { reason: "too late" })).toBe(false);
  });

  it("are there once under a command id of their tenant, with what was asked", async () => {
    const job = { tenant, id: `${id}_named`, command, query };
    const as = { commandId: "c-1", hash: "h-1" };
    expect(await jobs.asked(tenant, "c-1")).toBeNull();
    expect(await jobs.create(job, 3, as)).toBe(true);
    expect(await jobs.create({ ...job, id: `${id}_again` }, 9, { ...as, hash: "h-2" })).toBe(false);
    expect(await jobs.asked(tenant, "c-1")).toEqual({ id: job.id, hash: "h-1" });
    expect(await jobs.asked("other", "c-1")).toBeNull();
    expect((await mine()).map((each) => each.id)).toEqual([job.id]);
    expect(await jobs.create({ ...job, tenant: `${tenant}-b`, id: `${id}_b` }, 1, as)).toBe(true);
  });

  it("run no more once they are cancelled, and what was under way is still counted", async () => {
    const mineToo = { tenant, id: `${id}_named` };
    expect(await jobs.cancel({ ...mineToo, tenant: "other" }, { reason: "not mine" })).toBe(false);
    expect(await jobs.cancel(mineToo, { reason: "enough", actor: "ann" })).toBe(true);
    expect(await jobs.cancel(mineToo, { reason: "again" })).toBe(false);
    expect(await mine()).toEqual([]);
    expect(await jobs.advance(mineToo, start, page, true)).toBe("cancelled");
    expect(await jobs.advance(mineToo, start, page, true)).toBe("lost");
  });
});

it("a job is watched with its progress and its refusals", async () => {
  const tenant = freshTenant();
  const jobs = createSagaJobs(session);
  const command = { kind: "pause", reason: "a test" } as const;
  await jobs.create({ tenant, id: "job_watched", command, query: {} }, 4, null);
  const watched = createJobs(session);
  expect(await watched.job(tenant, "job_watched")).toMatchObject({
    ...{ kind: "command-sagas", state: "running", total: 4, commanded: 0, refusals: [] },
  });
  const refusals = [{ detail: "no", count: 1, instances: ["sga_1"] }];
  const [start, end] = [0, 4].map((finished) => ({ after: null, finished, refusals }));
  if (start === undefined || end === undefined) throw new Error("there is no progress");
  await jobs.advance({ tenant, id: "job_watched" }, start, end, true);
  const done = { state: "done", commanded: 4, refusals, cancelled: null };
  expect(await watched.job(tenant, "job_watched")).toMatchObject(done);
  await jobs.create({ tenant, id: "job_cancelled", command, query: {} }, 4, null);
  await jobs.cancel({ tenant, id: "job_cancelled" }, { reason: "enough", actor: "ann" });
  await jobs.advance({ tenant, id: "job_cancelled" }, { ...start, finished: 0 }, end, true);
  expect(await watched.job(tenant, "job_cancelled")).toMatchObject({
    ...{ state: "cancelled", commanded: 4, cancelled: { reason: "enough", actor: "ann" } },
  });
});
