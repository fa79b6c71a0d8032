/** The shape of a saga and of what is shown of its instances. */
import * as z from "zod";
import type { AddressPolicy } from "../../src/core/deliver/target-url.ts";
import { isCredentialHeader } from "../../src/core/ingest/headers.ts";
import { TYPE_LENGTH_MAX } from "../../src/core/ingest/limits.ts";
import { COMMANDS, isOfStep } from "../../src/core/saga/commands.ts";
import { ON_TIMEOUTS, SETTLES } from "../../src/core/saga/definition.ts";
import { isEnded, SAGA_STATUSES } from "../../src/core/saga/instance.ts";
import {
  SAGA_COMMAND_ID_CHARACTERS_MAX,
  SAGA_ERROR_CHARACTERS_MAX,
  SAGA_SUBJECT_CHARACTERS_MAX,
} from "../../src/core/saga/limits.ts";
import { address, OwnHeaderName } from "./request-schemas.ts";
import { Count, HeaderValue, Reason, Slug, Time } from "./schemas.ts";
import { Retry } from "./target-schemas.ts";

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

const http = (addresses: AddressPolicy) =>
  z.strictObject({
    // Where a part comes from the event, the address is checked before each request, like every other.
    url: address(addresses, (url) => url.replace(/\{\{[^{}]*\}\}/g, "x")).optional(),
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

const step = (addresses: AddressPolicy) => {
  const Action = {
    http: http(addresses).optional(),
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

export const sagaBody = (addresses: AddressPolicy) => {
  const Step = step(addresses);
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
/** By what instances are found, in a list and for a command to many. */
export const InstanceQuery = {
  saga: Slug.optional(),
  step: StepName.optional().describe("That is under way or waited for."),
  correlationId: z.string().max(256).optional(),
};

export const CommandBody = z.strictObject({
  reason: Reason,
  actor: z.string().min(1).max(128).optional().describe("Who decided it, for the journal."),
  commandId: z
    .string()
    .min(1)
    .max(SAGA_COMMAND_ID_CHARACTERS_MAX)
    .optional()
    .describe("Under the same id nothing happens a second time; the answer is the instance."),
  expectedRev: Count.optional().describe("Refused with 409 if the instance has changed since."),
  step: StepName.optional(),
  output: z.unknown().optional(),
  approved: z.boolean().optional(),
  seconds: Seconds.optional(),
});

export const CommandName = z.enum(COMMANDS);

const CommandIds = CommandBody.pick({
  ...{ reason: true, actor: true, commandId: true, expectedRev: true },
});

export const MigrateBody = CommandIds.extend({
  toVersion: Count.optional().describe(
    "The present one if left out; or any that is kept, by a revision of the tenant.",
  ),
  dryRun: z.boolean().optional().describe("Only compares."),
});

export const Comparison = z
  .object({
    dryRun: z.literal(true),
    rev: Count,
    fromVersion: Count,
    toVersion: Count,
    allowed: z.boolean(),
    added: z.array(z.string()),
    removed: z.array(z.string()),
    changed: z.array(z.object({ step: z.string(), members: z.array(z.string()) })),
    reordered: z.boolean(),
    members: z.array(z.string()).describe("Of the saga itself; an instance keeps its own."),
    faults: z
      .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
      .describe("What stands against it, by its place in the new definition."),
  })
  .meta({ id: "SagaComparison" });

const OPEN_STATUSES = [...SAGA_STATUSES, "STARTING" as const].filter(
  (status) => status === "STARTING" || !isEnded(status),
);

export const BulkBody = CommandBody.omit({ expectedRev: true })
  .extend({
    command: CommandName,
    commandId: CommandBody.shape.commandId.describe(
      "Under the same id there is one job; asked again, the answer is that job.",
    ),
    query: z
      .strictObject({
        ...InstanceQuery,
        status: z.enum(OPEN_STATUSES).optional(),
        paused: z.boolean().optional(),
        from: z.iso.datetime({ offset: true }).optional(),
        to: z.iso.datetime({ offset: true }).optional().describe("Not included."),
        olderThanSeconds: z.number().min(0).optional(),
      })
      .describe("Of the instances that have not ended; {} means all of them."),
    dryRun: z.boolean().optional().describe("Only counts."),
    expectedCount: Count.optional().describe("Refused with 409 if there are more or fewer now."),
  })
  .refine(({ command, step }) => step !== undefined || !isOfStep(command), {
    error: "this command is about one step",
    path: ["step"],
  });

export const BulkCount = z.object({
  dryRun: z.literal(true),
  count: Count,
  complete: z.boolean().describe("False: there are more, too many for one command."),
  instances: z.array(z.string()).describe("The newest of them."),
});

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
        held: z
          .string()
          .nullable()
          .describe("Why its target may not be called now; it is asked again at `dueAt`."),
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
          name: z.string().optional(),
          command: z.enum([...COMMANDS, "migrate"]).optional(),
          reason: z.string().optional(),
          commandId: z.string().optional(),
          expectedRev: Count.optional(),
        }),
        entries: z.array(z.looseObject({ kind: z.string(), step: z.string().optional() })),
      }),
    ),
  })
  .meta({ id: "SagaInstance" });
