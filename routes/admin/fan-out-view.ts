/** A fan-out as people see it. */
import * as z from "zod";
import { PRIORITIES } from "../../src/core/priority.ts";
import { DELIVERY_STATES, type DeliveryState, isFinal } from "../../src/core/settle.ts";
import { FAN_OUT_STATES, type FanOut } from "../../src/ports/fan-outs.ts";
import { iso } from "./change.ts";
import { Count, Slug, Time } from "./schemas.ts";

export const Summary = z
  .object({
    id: z.string(),
    tenant: Slug,
    eventId: z.string().describe("The event that has the list."),
    rule: Slug,
    targets: z.array(Slug),
    priority: z.enum(PRIORITIES),
    state: z.enum(FAN_OUT_STATES).describe("Done: every element is on its way."),
    reason: z.string().nullable().describe("Why it failed or was cancelled."),
    perSecond: z.number().nullable(),
    total: Count.describe("Elements of the list."),
    sent: Count.describe("Elements that are on their way."),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: "FanOut" });

export const Detail = Summary.extend({
  deliveries: Count.describe("Those of all elements to all targets."),
  delivered: Count,
  failed: Count.describe("Dead letters."),
  retrying: Count,
  percent: Count.max(100).describe("Deliveries that are at their end, well or not."),
  states: z
    .partialRecord(z.enum(DELIVERY_STATES), Count)
    .describe("How many of its deliveries are in which state, as far as the ledger knows of them."),
});

export function summaryView(fanOut: FanOut): z.infer<typeof Summary> {
  const { id, tenant, event, rule, subscriptions, priority, state, reason } = fanOut;
  const { perSecond, total, sent, createdAtMs, updatedAtMs } = fanOut;
  return {
    ...{ id, tenant, eventId: event, rule, priority, state, reason, perSecond, total, sent },
    targets: subscriptions.map(({ target }) => target),
    createdAt: iso(createdAtMs),
    updatedAt: iso(updatedAtMs),
  };
}

export function detailView(
  fanOut: FanOut,
  states: Readonly<Partial<Record<DeliveryState, number>>>,
): z.infer<typeof Detail> {
  const { delivered = 0, dead: failed = 0, retrying = 0 } = states;
  const ended = DELIVERY_STATES.filter(isFinal).reduce((sum, each) => sum + (states[each] ?? 0), 0);
  const deliveries = fanOut.total * fanOut.subscriptions.length;
  const percent = deliveries === 0 ? 100 : Math.floor((100 * ended) / deliveries);
  return { ...summaryView(fanOut), deliveries, delivered, failed, retrying, percent, states };
}
