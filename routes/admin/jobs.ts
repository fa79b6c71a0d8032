/** Jobs: what an operator began and goes on by itself, with its progress. */
import * as z from "zod";
import { DELETION_SETTLES_MS } from "../../src/core/operator-limits.ts";
import { DELIVERY_STATES, isFinal } from "../../src/core/settle.ts";
import { JOB_STATES, type Job } from "../../src/ports/jobs.ts";
import { iso } from "./change.ts";
import { notFound, type Operation, operation, Refusal } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Count, Reason, Slug, Time } from "./schemas.ts";

export const JobAnswer = z
  .object({
    id: z.string(),
    tenant: Slug.nullable().describe("Null for a job over all tenants."),
    kind: z.string(),
    state: z.enum(JOB_STATES),
    createdAt: Time,
    updatedAt: Time,
    total: Count.describe("Of a deletion, what was found so far: more may be left."),
    finished: Count,
    percent: Count.max(100),
    refusals: z
      .array(z.object({ detail: z.string(), count: Count, instances: z.array(z.string()) }))
      .describe("Which instances of sagas did not take a command to many, and why."),
    cancelled: z
      .object({ reason: z.string(), actor: z.string().nullable() })
      .nullable()
      .describe("Who ended it before its end, and why."),
    states: z
      .partialRecord(z.enum(DELIVERY_STATES), Count)
      .describe("How many of a redrive's deliveries are in which state."),
  })
  .meta({ id: "Job" });

const CancelBody = z.strictObject({
  reason: Reason,
  actor: z.string().min(1).max(128).optional().describe("Who decided it."),
});

export function jobView(job: Job): z.infer<typeof JobAnswer> {
  const { id, kind, state, states, commanded } = job;
  const tenant = job.tenant === "" ? null : job.tenant;
  const isDeletion = kind === "delete-tenant";
  const ended = DELIVERY_STATES.filter(isFinal).reduce((sum, each) => sum + (states[each] ?? 0), 0);
  const total = isDeletion ? job.removed : job.total;
  const finished = isDeletion || kind === "reseal" ? job.removed : ended + commanded;
  // What a tenant leaves is not counted beforehand; but it is known how long its deletion takes at least.
  const share = isDeletion
    ? Math.min(0.99, (job.updatedAtMs - job.createdAtMs) / DELETION_SETTLES_MS)
    : Math.min(1, finished / Math.max(1, total));
  return {
    ...{ id, tenant, kind, state, total, finished, states },
    cancelled: job.cancelled && {
      reason: job.cancelled.reason,
      actor: job.cancelled.actor ?? null,
    },
    refusals: job.refusals.map(({ instances, ...rest }) => ({
      ...rest,
      instances: [...instances],
    })),
    createdAt: iso(job.createdAtMs),
    updatedAt: iso(job.updatedAtMs),
    percent: state === "done" ? 100 : Math.floor(100 * share),
  };
}

export const jobOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/jobs",
    summary: "Lists jobs of all tenants, newest first.",
    query: PageQuery.extend({ state: z.enum(JOB_STATES).optional() }),
    responses: { 200: "A page of jobs." },
    answer: pageOf(JobAnswer),
    async handle({ stores, query }) {
      const after = decodeCursor(query.cursor, ["string"])?.[0];
      const from = after === undefined ? null : String(after);
      const page = await stores.jobs.jobs(query.state, from, query.limit);
      const cursor = encodeCursor(page.after === null ? null : [page.after]);
      return { status: 200, body: pageBody(page.items.map(jobView), cursor) };
    },
  }),
  operation({
    method: "get",
    path: "/admin/jobs/{job}",
    summary: "Reads the progress of any job, one over all tenants among them.",
    responses: { 200: "The job.", 404: "No such job." },
    answer: JobAnswer,
    async handle({ stores, params }) {
      const job = await stores.jobs.job(null, params.job ?? "");
      if (job === null) throw notFound("job");
      return { status: 200, body: jobView(job) };
    },
  }),
  operation({
    method: "get",
    path: "/admin/tenants/{tenant}/jobs/{job}",
    summary: "Reads a job's progress, also when its tenant is gone.",
    responses: { 200: "The job.", 404: "No such job." },
    answer: JobAnswer,
    async handle({ stores, params }) {
      const job = await stores.jobs.job(params.tenant ?? "", params.job ?? "");
      if (job === null) throw notFound("job");
      return { status: 200, body: jobView(job) };
    },
  }),
  operation<z.infer<typeof CancelBody>>({
    method: "post",
    path: "/admin/tenants/{tenant}/jobs/{job}/cancel",
    summary:
      "Ends a command to many sagas, or a redrive: what had its turn had it, and nothing more has. What a redrive still owed is dead again and says why; what is being sent ends, and where that fails the same call ends it too.",
    body: CancelBody,
    responses: {
      200: "The job: cancelled, or as it ended before.",
      404: "No such job.",
      409: "It is a job of another kind, which ends by itself.",
    },
    answer: JobAnswer,
    async handle({ app, stores, params, body }) {
      const id = { tenant: params.tenant ?? "", id: params.job ?? "" };
      const isEnded =
        (await app.deliver.sagaJobs.cancel(id, body)) ||
        (await stores.history.cancelRedrive(id.tenant, id.id, body));
      const job = await stores.jobs.job(id.tenant, id.id);
      if (job === null) throw notFound("job");
      if (!isEnded && job.state === "running") {
        const detail = `A job of kind ${job.kind} cannot be cancelled.`;
        throw new Refusal({ slug: "conflict", detail });
      }
      return { status: 200, body: jobView(job) };
    },
  }),
];
