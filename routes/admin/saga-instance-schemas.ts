/** The shapes of what is asked of instances of sagas, and of what is shown of them. */
import * as z from "zod";
import { COMMANDS, isOfStep } from "../../src/core/saga/commands.ts";
import { isEnded, SAGA_STATUSES } from "../../src/core/saga/instance.ts";
import {
  SAGA_COMMAND_ID_CHARACTERS_MAX,
  SAGA_ERROR_CHARACTERS_MAX,
} from "../../src/core/saga/limits.ts";
import { Seconds, StepName } from "./saga-schemas.ts";
import { Count, Reason, Slug, Time } from "./schemas.ts";

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
