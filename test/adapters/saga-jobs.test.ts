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

  beforeAll(() => jobs.create({ tenant, id, command, query }, 3));

  it("run from the start, with what was asked", async () => {
    expect(await mine()).toEqual([{ tenant, id, command, query, progress: start }]);
  });

  it("write down a page of who was first, and of nobody who comes after", async () => {
    expect(await jobs.advance({ tenant, id }, start, page, false)).toBe(true);
    expect(await jobs.advance({ tenant, id }, start, page, false)).toBe(false);
    expect(await jobs.advance({ tenant: "other", id }, page, page, true)).toBe(false);
    expect((await mine()).map(({ progress }) => progress)).toEqual([page]);
  });

  it("end, and are written no more", async () => {
    expect(await jobs.advance({ tenant, id }, page, { ...page, finished: 3 }, true)).toBe(true);
    expect(await mine()).toEqual([]);
    expect(await jobs.advance({ tenant, id }, { ...page, finished: 3 }, page, true)).toBe(false);
  });
});

it("a job is watched with its progress and its refusals", async () => {
  const tenant = freshTenant();
  const jobs = createSagaJobs(session);
  const command = { kind: "pause", reason: "a test" } as const;
  await jobs.create({ tenant, id: "job_watched", command, query: {} }, 4);
  const watched = createJobs(session);
  expect(await watched.job(tenant, "job_watched")).toMatchObject({
    ...{ kind: "command-sagas", state: "running", total: 4, commanded: 0, refusals: [] },
  });
  const refusals = [{ detail: "no", count: 1, instances: ["sga_1"] }];
  const [start, end] = [0, 4].map((finished) => ({ after: null, finished, refusals }));
  if (start === undefined || end === undefined) throw new Error("there is no progress");
  await jobs.advance({ tenant, id: "job_watched" }, start, end, true);
  const done = { state: "done", commanded: 4, refusals };
  expect(await watched.job(tenant, "job_watched")).toMatchObject(done);
});
