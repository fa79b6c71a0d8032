/** The bodies of the admin routes: validated here, and the OpenAPI document is made from the same schemas. */
import * as z from "zod";
import { FANOUT_PER_SECOND_MAX } from "../../src/core/fan-out/limits.ts";
import { SLUG } from "../../src/core/ids.ts";
import { BODY_BYTES_HARD_MAX, SECRETS_MAX, TARGETS_PER_RULE_MAX } from "../../src/core/limits.ts";
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
/** Why a person does it; it stands where what was done stands. */
export const Reason = z.string().regex(/\S/, "a reason is needed").max(500);

/** What everything that was PUT is answered with, around its own members. */
export const stored = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.object({
    id: Slug,
    ...shape,
    locked: z
      .object({ key: z.string(), detail: z.string() })
      .optional()
      .describe("The key of its secrets is missing; in operations.md, Keys."),
    version: Count.describe("In quotes it is the ETag, and what If-Match takes."),
    createdAt: Time,
    updatedAt: Time,
  });

export const HeaderName = z
  .string()
  .max(100)
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "not a header name");
/** What fetch accepts and no receiver misreads: visible ASCII, spaces and tabs. */
export const HeaderValue = z
  .string()
  .max(4_096)
  .regex(/^[\t\x20-\x7e]*$/, "only visible ASCII, spaces and tabs");
const Pointer = z.string().regex(/^(\/([^~/]|~[01])*)*$/, "not a JSON Pointer (RFC 6901)");
export const Secret = z.string().regex(/\S/, "an empty secret verifies nothing").max(1_024);
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

/** Of the secrets of a source that is locked nothing can be shown. */
const LockedVerify = z.object({ scheme: z.string() });
export const ShownVerify = z.union([
  verifyWith(
    z.object({
      label: z.string().describe("Tells this secret from others; it says nothing about it."),
      lastUsedAt: Time.nullable()
        .optional()
        .describe("A minute behind at most. Null: never. Left out: it cannot be said now."),
    }),
  ),
  LockedVerify,
]);

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
  targets: z.array(Slug).min(1).max(TARGETS_PER_RULE_MAX).describe("Each named once."),
  transformers: z
    .record(z.string(), TransformerBody)
    .optional()
    .describe("What a target gets in place of the event's own bytes, by its id."),
  forEach: z
    .union([
      z.string().max(512),
      z.strictObject({
        path: z.string().max(512),
        perSecond: z.number().min(0.1).max(FANOUT_PER_SECOND_MAX).optional(),
      }),
    ])
    .optional()
    .describe("A list of the body: its elements go to the targets, each as an event of its own.")
    .meta({ examples: ["$.data.recipients"] }),
  enabled: z.boolean().optional(),
  mode: z
    .enum(RULE_MODES)
    .optional()
    .describe("A shadow rule matches and is counted, and delivers nothing."),
  description: z.string().max(1_000).optional(),
});

/** What whoever sent an event is told. */
export const Accepted = z
  .object({
    id: z.string(),
    receipt: z.string(),
    deliveries: Count,
    priorities: z.array(z.enum(PRIORITIES)),
  })
  .meta({ id: "Accepted" });
