/** One command for all instances of sagas that a query finds: counted first, then a job. */
import * as z from "zod";
import type { Command } from "../../src/core/saga/commands.ts";
import { SAGA_BULK_MAX, SAGA_BULK_NAMED_MAX } from "../../src/core/saga/limits.ts";
import { type Begun, beginSagaJob } from "../../src/flows/begin-saga-job.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { requireTenant } from "./change.ts";
import { JobAnswer, jobView } from "./jobs.ts";
import { invalid, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { outputOf } from "./saga-commands.ts";
import { BulkBody, BulkCount } from "./saga-instance-schemas.ts";
import { queryOf } from "./saga-view.ts";

export const sagaBulkOperations: readonly Operation[] = [
  operation<z.infer<typeof BulkBody>>({
    method: "post",
    path: "/admin/tenants/{tenant}/saga-instances/bulk",
    changes: ({ dryRun }) => dryRun !== true,
    summary:
      "Commands all instances that a query finds and that have not ended; or only counts them.",
    body: BulkBody,
    responses: {
      200: "How many there are (`dryRun`); or the job that this `commandId` began before.",
      202: "The job that commands them, each once; `location` has its progress.",
      404: "No such tenant.",
      409: "There are not `expectedCount` of them, or `commandId` is that of another command.",
    },
    answer: z.union([JobAnswer, BulkCount]),
    async handle({ app, stores, params, body, sent, defer }) {
      const { clock, sagaIndex, text } = app.deliver;
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const { command: kind, query: asked, dryRun, expectedCount, commandId, ...rest } = body;
      const nowMs = clock.nowMs();
      const { toMs = nowMs, ...given } = queryOf(asked, nowMs);
      // What starts from now on was not meant.
      const query = { ...given, isOpen: true, toMs: Math.min(toMs, nowMs + 1) };
      if (dryRun === true) {
        const count = await sagaIndex.count(tenant, query, SAGA_BULK_MAX + 1);
        const { items } = await sagaIndex.list(tenant, query, null, SAGA_BULK_NAMED_MAX);
        const instances = items.map(({ id }) => id);
        const complete = count <= SAGA_BULK_MAX;
        const counted = { count: Math.min(count, SAGA_BULK_MAX), complete, instances };
        return { status: 200, body: { dryRun: true, ...counted } };
      }
      const command: Omit<Command, "id"> = { ...rest, kind, output: outputOf(sent, text) };
      const as = commandId === undefined ? null : { commandId, asked: { command, query: asked } };
      const begun = await beginSagaJob({ tenant, command, query, as, expectedCount }, app.deliver);
      const id = jobOf(begun, expectedCount);
      if (begun.kind === "begun") defer(sweep("overdue", app.deliver));
      const job = await stores.jobs.job(tenant, id);
      if (job === null) throw notFound("job");
      const location = `/admin/tenants/${tenant}/jobs/${id}`;
      return { status: begun.kind === "begun" ? 202 : 200, location, body: jobView(job) };
    },
  }),
];

function jobOf(begun: Begun, expectedCount: number | undefined): string {
  switch (begun.kind) {
    case "differs": {
      const { count } = begun;
      const are = count > SAGA_BULK_MAX ? `more than ${SAGA_BULK_MAX}` : `${count}`;
      const detail = `There are ${are} now, not ${expectedCount}.`;
      throw new Refusal({ slug: "conflict", detail, extensions: { count } });
    }
    case "too-many": {
      const detail = `More than ${SAGA_BULK_MAX} instances: a narrower query says which are meant.`;
      throw invalid([{ pointer: "/query", code: "too-many", detail }]);
    }
    case "id-taken": {
      const detail = `This commandId is that of another command, whose job is ${begun.job}.`;
      throw new Refusal({ slug: "conflict", detail, extensions: { job: begun.job } });
    }
    default:
      return begun.job;
  }
}
