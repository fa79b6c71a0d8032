/** A replay as people see it. */
import * as z from "zod";
import { DELIVERY_STATES } from "../../src/core/settle.ts";
import { REPLAY_STATES, type Replay } from "../../src/ports/replays.ts";
import { iso, isoOrNull } from "./change.ts";
import { Count, Pattern, Slug, Time } from "./schemas.ts";

export const Summary = z
  .object({
    id: z.string(),
    tenant: Slug,
    state: z.enum(REPLAY_STATES).describe("Done: all that it selected is on its way."),
    from: Time,
    to: Time,
    pattern: Pattern.nullable(),
    source: z.string().nullable(),
    type: z.string().nullable(),
    rule: Slug.nullable(),
    target: Slug.nullable(),
    perSecond: z.number(),
    reason: z.string(),
    createdAt: Time,
    updatedAt: Time,
    reachedAt: Time.nullable().describe("When the last event that was looked at was received."),
    percent: Count.max(100).describe("Of the slice of time."),
    examined: Count.describe("Archived events that were looked at, copies included."),
    deliveries: Count.describe("Those that it made."),
    unreadableBytes: Count.describe("Of the archive that are no event."),
  })
  .meta({ id: "Replay" });

export const Detail = Summary.extend({
  states: z
    .partialRecord(z.enum(DELIVERY_STATES), Count)
    .describe("How many of its deliveries are in which state."),
});

export const Counted = z.object({
  dryRun: z.literal(true),
  events: Count.describe("Events that it would send."),
  deliveries: Count,
  examined: Count,
  reachedAt: Time.nullable(),
  complete: z.boolean().describe("False when the bound on reading ended the count: there is more."),
  seconds: Count.describe("How long the counted ones take at their pace."),
});

export function summaryOf(replay: Replay): z.infer<typeof Summary> {
  const { id, tenant, state, query, reachedAtMs, examined, deliveries, unreadableBytes } = replay;
  const { fromMs, untilMs, pattern, source, type, rule, target, perSecond, reason } = query;
  const share = ((reachedAtMs ?? fromMs) - fromMs) / Math.max(1, untilMs - fromMs);
  return {
    ...{ id, tenant, state, source, type, rule, target, perSecond, reason },
    ...{ examined, deliveries, unreadableBytes },
    pattern: pattern as z.infer<typeof Summary>["pattern"],
    from: iso(fromMs),
    to: iso(untilMs),
    createdAt: iso(replay.createdAtMs),
    updatedAt: iso(replay.updatedAtMs),
    reachedAt: isoOrNull(reachedAtMs),
    percent: state === "done" ? 100 : Math.min(99, Math.floor(100 * share)),
  };
}
