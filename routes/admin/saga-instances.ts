/** Instances of sagas: start one, find them, look into one, and what a person may do with it. */
import * as z from "zod";
import { SAGA_ID, timeOrderedId } from "../../src/core/ids.ts";
import { isJsonObject, type Json } from "../../src/core/json.ts";
import { startOf } from "../../src/core/saga/arrival.ts";
import type { Command } from "../../src/core/saga/commands.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_STATUSES } from "../../src/core/saga/instance.ts";
import { unpack } from "../../src/core/saga/text.ts";
import { startSaga } from "../../src/flows/start-saga.ts";
import type { SagaSummary, SagaView } from "../../src/ports/saga.ts";
import { iso, isoOrNull, requireTenant } from "./change.ts";
import { type Call, invalid, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { sentMember } from "./rules.ts";
import {
  CommandBody,
  CommandName,
  InstanceAnswer,
  InstanceBody,
  InstanceSummary,
} from "./saga-schemas.ts";
import { Slug } from "./schemas.ts";

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
      saga: Slug.optional(),
      status: z.enum([...SAGA_STATUSES, "STARTING"]).optional(),
      correlationId: z.string().max(256).optional(),
    }),
    responses: { 200: "A page of instances.", 404: "No such tenant." },
    answer: pageOf(InstanceSummary),
    async handle({ stores, app, params, query }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const position = decodeCursor(query.cursor, ["number", "string"]);
      const after =
        position === null ? null : { startedAtMs: Number(position[0]), id: String(position[1]) };
      const page = await app.deliver.sagaIndex.list(tenant, query, after, query.limit);
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
  operation<z.infer<typeof CommandBody>>({
    method: "post",
    path: `${PATH}/{instance}/{command}`,
    summary: "What a person may do: pause, retry or skip a step, compensate, abandon and more.",
    body: CommandBody,
    responses: { 200: "Done.", 404: "No such instance or command.", 409: "Not in this state." },
    answer: InstanceAnswer,
    async handle({ app, params, body, sent }) {
      const kind = CommandName.safeParse(params.command);
      if (!kind.success) throw notFound("command");
      const { id } = await requireInstance(app, params);
      const { expectedRev, ...rest } = body;
      const output =
        isJsonObject(sent) && Object.hasOwn(sent, "output")
          ? sentMember(sent, "output")
          : undefined;
      const command: Command = { ...rest, kind: kind.data, output };
      const answer = await app.deliver.sagas.command(id, command, expectedRev);
      switch (answer.kind) {
        case "done":
          return { status: 200, body: instanceView(answer.view) };
        case "unknown":
          throw notFound("saga instance");
        case "rev-differs": {
          const detail = `The instance is at rev ${answer.rev}, not ${expectedRev}.`;
          throw new Refusal({ slug: "conflict", detail, extensions: { rev: answer.rev } });
        }
        case "refused":
          if (answer.isState) throw new Refusal({ slug: "conflict", detail: answer.detail });
          throw invalid([{ pointer: "", code: "bad-command", detail: answer.detail }]);
      }
    },
  }),
];

/** What is no id of an instance has no object that could be asked. */
async function requireInstance(
  app: Call<unknown, unknown>["app"],
  { tenant, instance = "" }: Call<unknown, unknown>["params"],
): Promise<SagaView> {
  const view = SAGA_ID.test(instance) ? await app.deliver.sagas.view(instance) : null;
  if (view === null || view.tenant !== tenant) throw notFound("saga instance");
  return view;
}

const summaryView = ({ dueAtMs, startedAtMs, updatedAtMs, ...rest }: SagaSummary) => ({
  ...rest,
  dueAt: isoOrNull(dueAtMs),
  startedAt: iso(startedAtMs),
  updatedAt: iso(updatedAtMs),
});

function instanceView(view: SagaView): Json {
  const { startedAtMs, updatedAtMs, deadlineAtMs, steps, journal, ...rest } = view;
  const nameOf = (step: number): string => steps[step]?.name ?? "";
  return {
    ...rest,
    startedAt: iso(startedAtMs),
    updatedAt: iso(updatedAtMs),
    deadlineAt: isoOrNull(deadlineAtMs),
    steps: steps.map(({ dueAtMs, ...step }) => ({ ...step, dueAt: isoOrNull(dueAtMs) })),
    journal: journal.map(({ rev, atMs, actor, entries }) => ({
      ...{ rev, at: iso(atMs), actor: { ...actor } },
      entries: entries.map((entry) =>
        "step" in entry ? { ...entry, step: nameOf(entry.step) } : { ...entry },
      ) as unknown as Json[],
    })),
  };
}
