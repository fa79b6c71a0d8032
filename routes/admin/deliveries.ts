/** Deliveries and dead letters: their state, their attempts, and sending them on their way again. */
import * as z from "zod";
import { timeOrderedId } from "../../src/core/ids.ts";
import { QUEUES } from "../../src/core/priority.ts";
import { DELIVERY_STATES } from "../../src/core/settle.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { StoredDelivery } from "../../src/ports/history.ts";
import { iso, isoOrNull, requireTenant } from "./change.ts";
import { JobAnswer, jobView } from "./jobs.ts";
import { notFound, type Operation, operation, Refusal } from "./operation.ts";
import {
  decodeCursor,
  encodeCursor,
  PageQuery,
  pageBody,
  pageOf,
  rangeOf,
  TimeQuery,
} from "./page.ts";
import { RedriveAllBody } from "./past-schemas.ts";
import { Count, Time } from "./schemas.ts";

const State = z.enum(DELIVERY_STATES);

const DeliveryQuery = PageQuery.extend(TimeQuery.shape).extend({
  state: State.optional(),
  target: z.string().max(63).optional(),
  rule: z.string().max(63).optional(),
  event: z.string().max(63).optional(),
});

const TENANT = "/admin/tenants/{tenant}";

/** How many deliveries are in each state. */
export const States = z.partialRecord(State, Count);

export const Delivery = z
  .object({
    id: z.string(),
    eventId: z.string(),
    rule: z.string(),
    target: z.string().describe("Empty for a fan-out: the elements go to the rule's targets."),
    priority: z.enum(QUEUES),
    source: z.string(),
    type: z.string(),
    state: State,
    attempts: Count,
    lastStatus: z.int().nullable(),
    lastError: z.string().nullable(),
    nextAttemptAt: Time.nullable(),
    receivedAt: Time,
    settledAt: Time.nullable(),
    replay: z.string().nullable().describe("The replay that made it."),
  })
  .meta({ id: "Delivery" });

export const deliveryView = (delivery: StoredDelivery): z.infer<typeof Delivery> => ({
  id: delivery.id,
  eventId: delivery.event,
  rule: delivery.rule,
  target: delivery.target,
  priority: delivery.priority,
  source: delivery.source,
  type: delivery.type,
  state: delivery.state,
  attempts: delivery.attempts,
  lastStatus: delivery.lastStatus,
  lastError: delivery.lastError,
  nextAttemptAt: isoOrNull(delivery.nextAttemptAtMs),
  receivedAt: iso(delivery.receivedAtMs),
  settledAt: isoOrNull(delivery.settledAtMs),
  replay: delivery.replay,
});

const Attempt = z.object({
  number: Count,
  at: Time,
  ms: Count,
  status: z.int().nullable(),
  error: z.string().nullable(),
  answer: z.string().nullable().describe("The first 4 KB of what the target answered."),
  batch: z.string().optional().describe("The batch that it went with."),
});

export const deliveryOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: `${TENANT}/deliveries`,
    summary: "Lists deliveries, newest first.",
    query: DeliveryQuery,
    responses: { 200: "A page of deliveries.", 404: "No such tenant." },
    answer: pageOf(Delivery),
    async handle({ stores, params, query }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const at = decodeCursor(query.cursor, ["number", "string", "string"]);
      const after =
        at === null
          ? null
          : { receivedAtMs: Number(at[0]), event: String(at[1]), subscription: String(at[2]) };
      const filter = { ...rangeOf(query), ...query };
      const page = await stores.history.deliveries(tenant, filter, after, query.limit);
      const { next } = page;
      const cursor = encodeCursor(
        next === null ? null : [next.receivedAtMs, next.event, next.subscription],
      );
      return { status: 200, body: pageBody(page.items.map(deliveryView), cursor) };
    },
  }),
  operation({
    method: "get",
    path: `${TENANT}/deliveries/{delivery}`,
    summary: "Reads a delivery with its attempts.",
    responses: { 200: "The delivery.", 404: "No such delivery." },
    answer: Delivery.extend({ attempts: z.array(Attempt), attemptCount: Count }),
    async handle({ stores, params }) {
      const delivery = await stores.history.delivery(params.tenant ?? "", params.delivery ?? "");
      if (delivery === null) throw notFound("delivery");
      const attempts = delivery.log.map(({ durationMs: ms, ...attempt }) => ({ ...attempt, ms }));
      const attemptCount = delivery.attempts; // of many attempts only the last are kept
      return { status: 200, body: { ...deliveryView(delivery), attempts, attemptCount } };
    },
  }),
  operation({
    method: "post",
    path: `${TENANT}/deliveries/{delivery}/redrive`,
    recorded: "with-change",
    summary: "Sends a dead, cancelled or waiting delivery again at once; its retries start anew.",
    responses: {
      202: "On its way.",
      404: "No such delivery.",
      409: "Its state does not allow it.",
    },
    answer: z.object({ id: z.string(), state: State }),
    async handle({ app, stores, params, defer }) {
      const tenant = params.tenant ?? "";
      const id = params.delivery ?? "";
      const delivery = await stores.history.delivery(tenant, id);
      if (delivery === null) throw notFound("delivery");
      if (!(await stores.history.redrive(tenant, id))) {
        const why =
          delivery.state === "parked"
            ? "It is parked: resume its target, or discard it."
            : `It is ${delivery.state}; only dead, cancelled and retrying ones can be redriven.`;
        throw new Refusal({ slug: "conflict", detail: why });
      }
      defer(sweep("overdue", app.deliver));
      return { status: 202, body: { id, state: "pending" } };
    },
  }),
  operation({
    method: "post",
    path: `${TENANT}/dead-letters/redrive`,
    recorded: "with-change",
    summary:
      "Sends dead letters again, all or those of a target, a rule or a time, at a pace if wished.",
    body: RedriveAllBody,
    bodyOptional: true,
    responses: { 202: "A job with its progress; `location` names it.", 404: "No such tenant." },
    answer: JobAnswer,
    async handle({ app, stores, params, body, defer }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const { clock, random } = app.deliver;
      const id = timeOrderedId("job_", clock.nowMs(), random.bytes(10));
      const { target, rule, perSecond } = body;
      const filter = { ...rangeOf(body), target, rule };
      const job = await stores.history.redriveAll(tenant, id, filter, perSecond ?? null);
      defer(sweep("overdue", app.deliver));
      const location = `/admin/tenants/${tenant}/jobs/${id}`;
      return { status: 202, location, body: jobView(job) };
    },
  }),
];
