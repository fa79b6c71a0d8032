/** The shape of a saga and of what is shown of its instances. */
import * as z from "zod";
import { isCredentialHeader } from "../../src/core/ingest/headers.ts";
import { TYPE_LENGTH_MAX } from "../../src/core/ingest/limits.ts";
import { SAGA_ERROR_CHARACTERS_MAX, SAGA_SUBJECT_CHARACTERS_MAX } from "../../src/core/limits.ts";
import { COMMANDS } from "../../src/core/saga/commands.ts";
import { ON_TIMEOUTS, SETTLES } from "../../src/core/saga/definition.ts";
import { SAGA_STATUSES } from "../../src/core/saga/instance.ts";
import { Count, HeaderValue, Reason, Slug, Time } from "./schemas.ts";
import { address, OwnHeaderName, Retry } from "./target-schemas.ts";

/** Names of steps stand in references: $.steps.reserve.output. */
const StepName = z
  .string()
  .regex(/^[A-Za-z_][\w-]{0,62}$/, "letters, digits, _ and -; at most 63, not first a digit");
const Seconds = z.number().positive().max(31_536_000);
const Reference = z
  .string()
  .max(512)
  .meta({ examples: ["$.data.orderId"] });

/** A definition is stored, journalled and shown as it is: it is no place for a credential. */
const StepHeaderName = OwnHeaderName.refine((name) => name.toLowerCase() !== "idempotency-key", {
  error: "this header is set by the router",
}).refine((name) => !isCredentialHeader(name.toLowerCase()), {
  error: "a definition keeps no credentials: it is shown as it was saved",
});

const http = (allowPrivateTargets: boolean) =>
  z.strictObject({
    // Where a part comes from the event, the address is checked before each request, like every other.
    url: address(allowPrivateTargets, (url) => url.replace(/\{\{[^{}]*\}\}/g, "x")).optional(),
    target: Slug.optional().describe("Of kind http; in place of `url`."),
    path: z.string().startsWith("/").max(2_048).optional().describe("Added to the target's URL."),
    method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).optional(),
    headers: z.record(StepHeaderName, HeaderValue).optional(),
    body: z.unknown().optional(),
  });

/** An event of the tenant, by the rules of the moment. */
const Publish = z.strictObject({
  type: z.string().min(1).max(TYPE_LENGTH_MAX),
  source: Slug.optional().describe("The saga's name, if left out."),
  subject: z.string().max(SAGA_SUBJECT_CHARACTERS_MAX).optional(),
  data: z.unknown().optional(),
});

/** An instance of a saga of the tenant; its end is the step's. */
const Child = z.strictObject({
  name: Slug,
  input: z.unknown().optional().describe("This instance's own, if left out."),
});

const step = (allowPrivateTargets: boolean) => {
  const Action = {
    http: http(allowPrivateTargets).optional(),
    publish: Publish.optional(),
    saga: Child.optional(),
    async: z
      .strictObject({ timeoutSeconds: Seconds })
      .optional()
      .describe(
        "An answer of 202 says that the outcome comes to `signalbox-callback` within this time.",
      ),
  };
  return z.strictObject({
    name: StepName,
    when: z.unknown().meta({ type: "object" }).optional(),
    optional: z.boolean().optional(),
    pivot: z.boolean().optional(),
    action: z.strictObject(Action).optional(),
    compensate: z.strictObject({ ...Action, retry: Retry.optional() }).optional(),
    retry: Retry.optional(),
    timeoutSeconds: z
      .number()
      .positive()
      .max(60)
      .optional()
      .describe("Of one attempt; the target's own, or 10, if left out."),
    settle: z.enum(SETTLES).optional(),
    delay: z.strictObject({ seconds: Seconds }).optional(),
    wait: z
      .strictObject({
        event: z.unknown().meta({ type: "object" }),
        correlation: Reference.optional(),
        timeoutSeconds: Seconds,
        onTimeout: z.enum(ON_TIMEOUTS).optional(),
      })
      .optional(),
    approve: z
      .strictObject({ timeoutSeconds: Seconds, onTimeout: z.enum(ON_TIMEOUTS).optional() })
      .optional(),
  });
};

export const sagaBody = (allowPrivateTargets: boolean) => {
  const Step = step(allowPrivateTargets);
  const Parallel = z.strictObject({ parallel: z.array(z.array(Step).min(1)).min(2).max(20) });
  return z.strictObject({
    steps: z.array(z.union([Parallel, Step])).min(1),
    key: Reference.optional().describe(
      "The same key is the same instance; the event's id if left out.",
    ),
    correlation: Reference.optional(),
    deadlineSeconds: Seconds.optional(),
    description: z.string().max(1_000).optional(),
  });
};

export const InstanceBody = z.strictObject({
  input: z.unknown(),
  key: z.string().min(1).max(256).optional(),
  correlationId: z.string().min(1).max(256).optional(),
});

/** As `readCallback` takes it. */
export const CallbackBody = z
  .union([
    z.strictObject({ output: z.unknown() }),
    z.strictObject({
      error: z.string().max(SAGA_ERROR_CHARACTERS_MAX),
      retryable: z.boolean().optional().describe("The step is asked again; else it is refused."),
    }),
  ])
  .meta({ id: "SagaCallback" });

export const CommandBody = z.strictObject({
  reason: Reason,
  expectedRev: Count.optional().describe("Refused with 409 if the instance has changed since."),
  step: StepName.optional(),
  output: z.unknown().optional(),
  approved: z.boolean().optional(),
  seconds: Seconds.optional(),
});

export const CommandName = z.enum(COMMANDS);

const Common = {
  id: z.string(),
  tenant: Slug,
  saga: Slug,
  version: Count,
  key: z.string(),
  correlationId: z.string().nullable(),
  status: z.enum([...SAGA_STATUSES, "STARTING"]),
  paused: z.boolean(),
  reason: z.string().nullable(),
  rev: Count,
  startedAt: Time,
  updatedAt: Time,
};

export const InstanceSummary = z
  .object({ ...Common, step: z.string().nullable(), dueAt: Time.nullable() })
  .meta({ id: "SagaInstanceSummary" });

export const InstanceAnswer = z
  .object({
    ...Common,
    inFlight: Count.describe("Requests under way; a paused instance with none is at rest."),
    deadlineAt: Time.nullable(),
    parent: z
      .object({ id: z.string(), step: z.string() })
      .optional()
      .describe("The instance whose step it is."),
    input: z.unknown(),
    steps: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        state: z.string(),
        compensation: z.string(),
        attempts: Count,
        compensationAttempts: Count,
        startOrder: Count.nullable(),
        dueAt: Time.nullable(),
        output: z.unknown(),
        error: z.string().nullable(),
      }),
    ),
    journal: z.array(
      z.object({
        rev: Count,
        at: Time,
        actor: z.object({
          by: z.string(),
          command: CommandName.optional(),
          reason: z.string().optional(),
        }),
        entries: z.array(z.looseObject({ kind: z.string(), step: z.string().optional() })),
      }),
    ),
  })
  .meta({ id: "SagaInstance" });
