/** Instances of sagas: start one, find them, look into one. */
import * as z from "zod";
import { timeOrderedId } from "../../src/core/ids.ts";
import { startOf } from "../../src/core/saga/arrival.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_STATUSES } from "../../src/core/saga/instance.ts";
import { unpack } from "../../src/core/saga/text.ts";
import { startSaga } from "../../src/flows/start-saga.ts";
import { requireTenant } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf, TimeQuery } from "./page.ts";
import { sentMember } from "./rules.ts";
import {
  InstanceAnswer,
  InstanceBody,
  InstanceQuery,
  InstanceSummary,
} from "./saga-instance-schemas.ts";
import { instanceView, queryOf, requireInstance, summaryView } from "./saga-view.ts";

const PATH = "/admin/tenants/{tenant}/saga-instances";

export const sagaInstanceOperations: readonly Operation[] = [
  operation<z.infer<typeof InstanceBody>>({
    method: "post",
    path: "/admin/tenants/{tenant}/sagas/{saga}/instances",
    summary: "Starts an instance of a saga; the same key answers with the one that there is.",
    body: InstanceBody,
    responses: { 200: "Started before.", 201: "Started.", 404: "No such tenant or saga." },
    answer: InstanceAnswer,
    async handle({ app, stores, params, body, sent }) {
      const tenant = params.tenant ?? "";
      const saga = params.saga ?? "";
      const stored = await stores.config.resource(tenant, "saga", saga);
      if (stored === null) throw notFound("saga");
      const doc = unpack<SagaDoc>(stored.doc);
      const input = sentMember(sent, "input");
      const fresh = timeOrderedId("", app.deliver.clock.nowMs(), app.deliver.random.bytes(10));
      const { key, correlationId } = startOf(doc, input);
      const request = {
        ...{ tenant, saga, input },
        definition: { version: stored.version, createdAtMs: stored.createdAtMs, doc },
        key: body.key ?? key ?? fresh,
        correlationId: body.correlationId ?? correlationId,
      };
      const { created, view } = await startSaga(request, app.deliver);
      return { status: created ? 201 : 200, body: instanceView(view) };
    },
  }),
  operation({
    method: "get",
    path: PATH,
    summary: "Lists instances of sagas, newest first.",
    query: PageQuery.extend({
      ...TimeQuery.shape,
      ...InstanceQuery,
      status: z.enum([...SAGA_STATUSES, "STARTING"]).optional(),
      paused: z.stringbool({ truthy: ["true"], falsy: ["false"] }).optional(),
      olderThanSeconds: z.coerce.number().min(0).optional().describe("By when it was started."),
    }),
    responses: { 200: "A page of instances.", 404: "No such tenant." },
    answer: pageOf(InstanceSummary),
    async handle({ stores, app, params, query }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const position = decodeCursor(query.cursor, ["number", "string"]);
      const after =
        position === null ? null : { startedAtMs: Number(position[0]), id: String(position[1]) };
      const asked = queryOf(query, app.deliver.clock.nowMs());
      const page = await app.deliver.sagaIndex.list(tenant, asked, after, query.limit);
      const { next } = page;
      const cursor = encodeCursor(next === null ? null : [next.startedAtMs, next.id]);
      return { status: 200, body: pageBody(page.items.map(summaryView), cursor) };
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{instance}`,
    summary: "Reads an instance from its own object: steps, attempts, outputs and journal.",
    responses: { 200: "The instance.", 404: "No such instance." },
    answer: InstanceAnswer,
    async handle({ app, params }) {
      return { status: 200, body: instanceView(await requireInstance(app, params)) };
    },
  }),
];
