/** The bodies of the admin routes: validated here, and the OpenAPI document is made from the same schemas. */
import * as z from "zod";
import { decodeBase64 } from "../../src/core/bytes.ts";
import { signingKey } from "../../src/core/deliver/signature.ts";
import { refusedAddress } from "../../src/core/deliver/target-url.ts";
import { SLUG } from "../../src/core/ids.ts";
import {
  ATTEMPT_TIMEOUT_MS_MAX,
  BODY_BYTES_HARD_MAX,
  REPLAY_PER_SECOND_MAX,
  SECRETS_MAX,
  TARGETS_PER_RULE_MAX,
} from "../../src/core/limits.ts";
import { PRIORITIES } from "../../src/core/priority.ts";
import { RULE_MODES } from "../../src/core/resources.ts";
import { ON_MISSING } from "../../src/core/transform/transformer.ts";
import { webhookSecretBytes } from "../../src/core/webhook-secret.ts";

export const Slug = z
  .string()
  .regex(SLUG, "lower-case letters, digits and dashes; at most 63")
  .meta({ examples: ["github"] });

/** RFC 3339, UTC, with milliseconds. */
export const Time = z.string().meta({ format: "date-time" });
export const Count = z.int().min(0);

/** What everything that was PUT is answered with, around its own members. */
export const stored = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.object({
    id: Slug,
    ...shape,
    version: Count.describe("In quotes it is the ETag, and what If-Match takes."),
    createdAt: Time,
    updatedAt: Time,
  });

const HeaderName = z
  .string()
  .max(100)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header name");
/** What fetch accepts and no receiver misreads: visible ASCII, spaces and tabs. */
export const HeaderValue = z
  .string()
  .max(4_096)
  .regex(/^[\t\x20-\x7e]*$/, "only visible ASCII, spaces and tabs");
const Pointer = z.string().regex(/^(\/([^~/]|~[01])*)*$/, "not a JSON Pointer (RFC 6901)");
const Secret = z.string().regex(/\S/, "an empty secret verifies nothing").max(1_024);
const ToleranceSeconds = z.number().int().min(1).max(3_600).optional();

export const Limit = z
  .strictObject({
    eventsPerSecond: z.number().positive().max(1_000_000),
    burst: z.number().int().min(1).max(10_000_000).optional(),
    overflow: z.enum(["reject", "demote"]).optional(),
  })
  .describe("Events above it are refused with 429, or accepted and delivered as bulk.");

/** The schemes, with `secret` in the place of each secret: what is sent, or what is shown of it. */
const verifyWith = <One extends z.ZodType>(secret: One, whsec = secret) => {
  const listOf = (one: One) => z.array(one).min(1).max(SECRETS_MAX);
  const secrets = listOf(secret);
  return z.discriminatedUnion("scheme", [
    z.strictObject({ scheme: z.literal("none") }),
    z.strictObject({
      scheme: z.enum(["github", "stripe", "slack", "shopify"]),
      secrets,
      toleranceSeconds: ToleranceSeconds,
    }),
    z.strictObject({
      scheme: z.literal("standard-webhooks"),
      secrets: listOf(whsec),
      toleranceSeconds: ToleranceSeconds,
    }),
    z.strictObject({
      scheme: z.literal("hmac"),
      header: HeaderName,
      algorithm: z.enum(["sha1", "sha256", "sha512"]),
      encoding: z.enum(["hex", "base64"]),
      prefix: z.string().max(100).optional(),
      secrets,
    }),
    z.strictObject({
      scheme: z.literal("basic"),
      username: z.string().min(1).max(256),
      password: secret,
    }),
    z.strictObject({ scheme: z.literal("api-key"), header: HeaderName, keys: secrets }),
  ]);
};

export const ShownVerify = verifyWith(z.object({ lastUsedAt: Time.nullable() }));

const Place = [
  z.strictObject({ from: z.literal("header"), name: HeaderName }),
  z.strictObject({ from: z.literal("body"), pointer: Pointer }),
] as const;

export const TenantBody = z.strictObject({
  name: z.string().max(200).optional(),
  limit: Limit.optional(),
});

export const SourceBody = z.strictObject({
  verify: verifyWith(
    Secret,
    Secret.refine((secret) => webhookSecretBytes(secret) !== null, {
      error: "not a Standard Webhooks secret: whsec_ and base64",
    }),
  ),
  idempotencyKey: z.union([...Place, z.strictObject({ from: z.literal("body-hash") })]).optional(),
  typeFrom: z.union([...Place, z.string().min(1).max(256)]).optional(),
  limit: Limit.optional(),
  bytesMax: z.number().int().min(1).max(BODY_BYTES_HARD_MAX).optional(),
});

export const Retry = z.union([
  z.strictObject({ delaysSeconds: z.array(z.number().min(0).max(604_800)).max(50) }),
  z.strictObject({
    maxAttempts: z.number().int().min(1).max(50),
    initialSeconds: z.number().min(0).max(86_400),
    factor: z.number().min(1).max(100),
    maxSeconds: z.number().min(0).max(604_800),
  }),
]);

/** Headers that the router or the connection sets. */
const RESERVED_HEADER =
  /^(host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|traceparent|webhook-.*|signalbox-.*|ce-.*|cf-.*)$/;

/** Of what a user adds to a request. */
export const OwnHeaderName = HeaderName.refine(
  (name) => !RESERVED_HEADER.test(name.toLowerCase()),
  { error: "this header is set by the router or the connection" },
);

/** An address that requests may go to; `fixed` makes of a template what can be judged before it is filled in. */
export const address = (allowPrivateTargets: boolean, fixed = (text: string) => text) =>
  z
    .string()
    .max(2_048)
    .check((context) => {
      const text = fixed(context.value);
      const refused = refusedAddress(
        URL.canParse(text) ? new URL(text) : null,
        allowPrivateTargets,
      );
      if (refused === null) return;
      context.issues.push({
        code: "custom",
        input: context.value,
        message: refused,
        params: { code: "target-refused" },
      });
    });

export const SagaTargetBody = z.strictObject({
  kind: z.literal("saga"),
  saga: Slug,
  retry: Retry.optional(),
  paused: z.boolean().optional(),
});

export const targetBody = (allowPrivateTargets: boolean) =>
  z.discriminatedUnion("kind", [httpTargetBody(allowPrivateTargets), SagaTargetBody]);

export const httpTargetBody = (allowPrivateTargets: boolean) =>
  z.strictObject({
    kind: z.literal("http"),
    url: address(allowPrivateTargets).meta({ format: "uri" }),
    headers: z.record(OwnHeaderName, HeaderValue).optional(),
    secrets: z
      .array(
        Secret.refine((secret) => signingKey(secret) !== null, {
          error: "not a Standard Webhooks secret: whsec_ and 24 to 64 bytes in base64",
        }),
      )
      .max(SECRETS_MAX)
      .optional(),
    timeoutMs: z.number().int().min(100).max(ATTEMPT_TIMEOUT_MS_MAX).optional(),
    retry: Retry.optional(),
    gate: z
      .strictObject({
        concurrency: z.number().int().min(1).max(1_000).optional(),
        perSecond: z.number().positive().max(100_000).optional(),
        adaptive: z.boolean().optional(),
      })
      .optional(),
    paused: z.boolean().optional(),
  });

/** The pattern is checked by its own parser, which names every fault. */
export const Pattern = z.looseObject({}).meta({
  description: "An Amazon EventBridge event pattern over the event.",
  examples: [{ type: ["push"] }],
});

/** EventBridge's input transformer; its paths and template are checked by their own parser. */
export const TransformerBody = z.strictObject({
  paths: z.record(z.string(), z.string().max(512)).optional(),
  template: z.unknown().meta({
    description: "JSON, or text, in which <name> stands for the value of a variable.",
    examples: [{ order: "<id>", note: "from <source>" }],
  }),
  missing: z
    .enum(ON_MISSING)
    .describe("What becomes of a variable without a value: no delivery, null, or left out."),
});

export const RuleBody = z.strictObject({
  pattern: z
    .unknown()
    .meta({ type: "object", description: "An Amazon EventBridge event pattern." }),
  priority: z.enum(PRIORITIES),
  targets: z.array(Slug).min(1).max(TARGETS_PER_RULE_MAX),
  transformers: z
    .record(z.string(), TransformerBody)
    .optional()
    .describe("What a target gets in place of the event's own bytes, by its id."),
  enabled: z.boolean().optional(),
  mode: z
    .enum(RULE_MODES)
    .optional()
    .describe("A shadow rule matches and is counted, and delivers nothing."),
  description: z.string().max(1_000).optional(),
});

const DeadLetters = z.strictObject({
  target: Slug.optional(),
  rule: Slug.optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  to: z.iso.datetime({ offset: true }).optional(),
});

export const RedriveAllBody = DeadLetters.extend({
  perSecond: z.number().positive().max(10_000).optional(),
});

/** Why a person does it; it stands in the ledger. */
const Reason = z.string().regex(/\S/, "a reason is needed").max(500);

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
    from: z.iso.datetime({ offset: true }),
    to: z.iso.datetime({ offset: true }).describe("Not included."),
    mend: z.boolean().optional().describe("False only reports."),
    cursor: z.string().max(512).optional(),
  })
  .refine(({ from, to }) => !(Date.parse(from) >= Date.parse(to)), {
    error: "the slice ends before it starts",
    path: ["to"],
  });

const Instant = z.iso.datetime({ offset: true });

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

/** What whoever sent an event is told. */
export const Accepted = z
  .object({
    id: z.string(),
    receipt: z.string(),
    deliveries: Count,
    priorities: z.array(z.enum(PRIORITIES)),
  })
  .meta({ id: "Accepted" });
