/** Events: what came in, and everything that happened to it. */
import * as z from "zod";
import type { EventRecord } from "../../src/core/enqueue/record.ts";
import { parseDeliveryId } from "../../src/core/ids.ts";
import type { Json } from "../../src/core/json.ts";
import { FAN_OUT } from "../../src/core/priority.ts";
import { type ArchivedEvent, archivedEvent } from "../../src/flows/event-view.ts";
import type { StoredEvent, EventSummary as StoredSummary } from "../../src/ports/history.ts";
import { iso, requireTenant } from "./change.ts";
import { Delivery, deliveryView, States } from "./deliveries.ts";
import { type Call, notFound, type Operation, operation, Refusal } from "./operation.ts";
import {
  decodeCursor,
  encodeCursor,
  PageQuery,
  pageBody,
  pageOf,
  rangeOf,
  TimeQuery,
} from "./page.ts";
import { Count, Time } from "./schemas.ts";

const Outcome = z.enum(["matched", "unmatched"]);

const EventQuery = PageQuery.extend(TimeQuery.shape).extend({
  source: z.string().max(63).optional(),
  type: z.string().max(256).optional(),
  outcome: Outcome.optional(),
});

export const EventSummary = z.object({
  id: z.string(),
  source: z.string(),
  type: z.string(),
  receivedAt: Time,
  outcome: Outcome,
  deliveries: States,
});

export function summaryView(event: StoredSummary): z.infer<typeof EventSummary> {
  const { id, source, type, receivedAtMs, deliveries } = event;
  const outcome = Object.keys(deliveries).length === 0 ? "unmatched" : "matched";
  return { id, source, type, receivedAt: iso(receivedAtMs), outcome, deliveries };
}

const PATH = "/admin/tenants/{tenant}/events";

const EventAnswer = EventSummary.extend({
  tenant: z.string(),
  event: z.custom<Json>().describe("As the rules saw it; null when it is not archived."),
  archived: z
    .boolean()
    .describe("The bytes come with some milliseconds' delay, and go when their retention ends."),
  verification: z
    .object({ scheme: z.string(), secretIndex: z.int().nullable(), verifiedAt: Time })
    .nullable(),
  idempotencyKey: z.object({ value: z.string(), from: z.string() }).nullable(),
  demoted: z.boolean(),
  revision: Count.nullable().describe(
    "Of the configuration that its rules were of: `…/rules/{rule}/versions/{revision}` is one of them as it was.",
  ),
  receipts: z.array(
    z.object({
      id: z.string(),
      receivedAt: Time,
      duplicate: z.boolean(),
      reason: z.string().nullable(),
    }),
  ),
  parent: z
    .object({ event: z.string(), delivery: z.string() })
    .nullable()
    .describe(
      "What a target made it of; null for an event that came from outside, or is not archived.",
    ),
  deliveries: z.array(Delivery),
  timeline: z.array(z.object({ at: Time, hop: z.string(), detail: z.string() })),
});

const UNCLAIMED =
  "There is no such event, or no consumer has claimed it yet: GET /admin/queues says what waits.";

/** A stored event as its rules saw it; refused when its bytes are not, or no longer, kept. */
export async function requireArchived(
  { app, stores, params }: Pick<Call<unknown, unknown>, "app" | "stores" | "params">,
  id: string,
): Promise<ArchivedEvent> {
  const stored = await stores.history.event(params.tenant ?? "", id);
  const archived = stored === null ? null : await archivedEvent(stored.pointer, app.deliver);
  if (archived === null) throw notFound("event");
  return archived;
}

export const eventOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary: "Lists events, newest first. An event appears once its deliveries settle.",
    query: EventQuery,
    responses: { 200: "A page of events.", 404: "No such tenant." },
    answer: pageOf(EventSummary),
    async handle({ stores, params, query }) {
      const tenant = params.tenant ?? "";
      await requireTenant(stores.config, tenant);
      const at = decodeCursor(query.cursor, ["number", "string"]);
      const after =
        at === null
          ? null
          : { receivedAtMs: Number(at[0]), event: String(at[1]), subscription: "" };
      const filter = { ...rangeOf(query), ...query };
      const page = await stores.history.events(tenant, filter, after, query.limit);
      const items = page.items.map(summaryView);
      const { next } = page;
      const cursor = encodeCursor(next === null ? null : [next.receivedAtMs, next.event]);
      return { status: 200, body: pageBody(items, cursor) };
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{event}`,
    summary:
      "Reads an event: what came, how it was verified, its receipts, deliveries and timeline.",
    responses: {
      200: "The event.",
      404: "No such event; or it waits in its queue, and no consumer has claimed it yet.",
    },
    answer: EventAnswer,
    async handle({ app, stores, params }) {
      const tenant = params.tenant ?? "";
      const stored = await stores.history.event(tenant, params.event ?? "");
      if (stored === null) throw new Refusal({ slug: "not-found", detail: UNCLAIMED });
      const data = await archivedEvent(stored.pointer, app.deliver);
      return { status: 200, body: eventView(stored, data?.record ?? null, data?.event ?? null) };
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{event}/body`,
    summary: "The sender's original bytes with their content type.",
    responses: { 200: "The bytes.", 404: "No such event, or its bytes are no longer kept." },
    answer: "bytes",
    async handle({ app, stores, params }) {
      const stored = await stores.history.event(params.tenant ?? "", params.event ?? "");
      const { archive } = app.deliver;
      const meta = stored === null ? null : await archive.meta(stored.pointer);
      if (stored === null || meta === null) throw notFound("event");
      const { segment, offset } = stored.pointer;
      const body = await archive.stream(segment, offset + meta.bodyOffset, meta.bodyBytes);
      if (body === null) throw notFound("event");
      const contentType = meta.record.contentType ?? "application/octet-stream";
      return { status: 200, raw: { body, contentType } };
    },
  }),
];

function eventView(
  stored: StoredEvent,
  record: EventRecord | null,
  event: Json,
): z.infer<typeof EventAnswer> {
  return {
    id: stored.id,
    tenant: stored.tenant,
    source: stored.source,
    type: stored.type,
    receivedAt: iso(stored.receivedAtMs),
    outcome: stored.deliveries.length === 0 ? "unmatched" : "matched",
    event,
    archived: record !== null,
    verification:
      record === null
        ? null
        : {
            scheme: record.verification.scheme,
            secretIndex: record.verification.secretIndex,
            verifiedAt: iso(record.receivedAtMs),
          },
    idempotencyKey: record === null ? null : { value: record.key, from: record.keyFrom },
    demoted: record?.demoted === true,
    revision: record?.revision ?? null,
    receipts: [
      { id: stored.receipt, receivedAt: iso(stored.receivedAtMs), duplicate: false, reason: null },
      ...stored.duplicates.map(({ receipt, receivedAtMs, reason }) => ({
        id: receipt,
        receivedAt: iso(receivedAtMs),
        duplicate: true,
        reason,
      })),
    ],
    parent: parentOf(record),
    deliveries: stored.deliveries.map((delivery) => deliveryView(delivery)),
    timeline: timelineOf(stored, parentOf(record)),
  };
}

function parentOf(record: EventRecord | null): z.infer<typeof EventAnswer>["parent"] {
  const delivery = record?.parent;
  const event = delivery === undefined ? undefined : parseDeliveryId(delivery)?.event;
  return delivery === undefined || event === undefined ? null : { event, delivery };
}

const nameOf = (target: string): string => (target === FAN_OUT ? "each element" : target);

/** The hops of an event in the order of time; each names what it concerns. */
function timelineOf(
  stored: StoredEvent,
  parent: z.infer<typeof EventAnswer>["parent"],
): z.infer<typeof EventAnswer>["timeline"] {
  const hops = [
    ...(parent === null
      ? []
      : [
          {
            ...{ at: iso(stored.receivedAtMs), hop: "published" },
            detail: `of ${parent.event}, by its delivery ${parent.delivery}`,
          },
        ]),
    { at: iso(stored.receivedAtMs), hop: "accepted", detail: stored.receipt },
    { at: iso(stored.claimedAtMs), hop: "claimed", detail: stored.receipt },
    ...stored.duplicates.map(({ receivedAtMs, receipt, reason }) => {
      return { at: iso(receivedAtMs), hop: "suppressed", detail: `${receipt}: ${reason}` };
    }),
    ...stored.deliveries.flatMap(({ id, rule, target, log, state, settledAtMs }) => [
      ...log.map(({ at, number, status, error, answer, durationMs }) => {
        const outcome = error ?? (target === FAN_OUT ? answer : `status ${status}`);
        const detail = `${rule} to ${nameOf(target)}, attempt ${number}: ${outcome} after ${durationMs} ms`;
        return { at, hop: "attempt", detail };
      }),
      ...(settledAtMs === null
        ? []
        : [{ at: iso(settledAtMs), hop: state, detail: `${rule} to ${nameOf(target)} (${id})` }]),
    ]),
  ];
  return hops.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}
