/** The bodies of calls that look at the past, or send it again: dead letters, searches, replays, reconciliations. */
import * as z from "zod";
import { REPLAY_PER_SECOND_MAX } from "../../src/core/archive-limits.ts";
import { decodeBase64 } from "../../src/core/bytes.ts";
import { HeaderValue, Reason, Slug } from "./schemas.ts";

const Instant = z.iso.datetime({ offset: true });

const DeadLetters = z.strictObject({
  target: Slug.optional(),
  rule: Slug.optional(),
  from: Instant.optional(),
  to: Instant.optional(),
});

export const RedriveAllBody = DeadLetters.extend({
  perSecond: z.number().min(0.1).max(10_000).optional(),
});

export const DiscardBody = z.strictObject({ reason: Reason });
export const DiscardAllBody = DeadLetters.extend({ reason: Reason });

export const ResendBody = z
  .strictObject({
    data: z.unknown().optional().describe("Any JSON: the new body."),
    base64: z
      .string()
      .refine((base64) => decodeBase64(base64) !== null, { error: "not base64" })
      .optional()
      .describe("The new body's bytes, when they are not JSON."),
    contentType: HeaderValue.max(256).regex(/\S/, "an empty media type says nothing").optional(),
    reason: Reason,
  })
  .refine(({ data, base64 }) => data === undefined || base64 === undefined, {
    error: "data and base64 are two bodies",
    path: ["base64"],
  });

export const ReconcileBody = z
  .strictObject({
    tenant: Slug.optional().describe("Every tenant in turn when it is left out."),
    from: Instant,
    to: Instant.describe("Not included."),
    mend: z.boolean().optional().describe("False only reports."),
    cursor: z.string().max(512).optional(),
  })
  .refine(({ from, to }) => !(Date.parse(from) >= Date.parse(to)), {
    error: "the slice ends before it starts",
    path: ["to"],
  });

/** Whether a slice of time does not end before it starts; open ends are the widest. */
const isForward = ({ from, to }: { from?: string | undefined; to?: string | undefined }): boolean =>
  from === undefined || to === undefined || !(Date.parse(from) >= Date.parse(to));
const BACKWARD = { error: "the slice ends before it starts", path: ["to"] };

export const SearchBody = z
  .strictObject({
    pattern: z.unknown().meta({ type: "object", description: "As a rule has it." }),
    from: Instant.optional(),
    to: Instant.optional().describe("Not included."),
    source: z.string().max(63).optional(),
    type: z.string().max(256).optional(),
    outcome: z.enum(["matched", "unmatched"]).optional(),
  })
  .refine(isForward, BACKWARD);

export const ReplayBody = z
  .strictObject({
    from: Instant,
    to: Instant.describe("Not included; not in the future."),
    pattern: z
      .unknown()
      .optional()
      .meta({ type: "object", description: "As a rule has it; every event when left out." }),
    source: z.string().max(63).optional(),
    type: z.string().max(256).optional(),
    rule: Slug.optional().describe("Only what this rule sends."),
    target: Slug.optional().describe("Only to this target."),
    perSecond: z.number().min(0.1).max(REPLAY_PER_SECOND_MAX).optional(),
    reason: Reason,
    dryRun: z.boolean().optional().describe("Only counts what it would send."),
  })
  .refine(isForward, BACKWARD);
