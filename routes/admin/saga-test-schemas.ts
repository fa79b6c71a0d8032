/** What a dry run of a saga is given, and what it answers. */
import * as z from "zod";
import type { AddressPolicy } from "../../src/core/deliver/target-url.ts";
import { SAGA_TEST_MOCKS_MAX } from "../../src/core/saga/limits.ts";
import { CommandBody, CommandName, InstanceAnswer } from "./saga-instance-schemas.ts";
import { sagaBody } from "./saga-schemas.ts";
import { Count, Slug, Time } from "./schemas.ts";

const Mocked = z.union([
  z.strictObject({ output: z.unknown() }),
  z.strictObject({
    status: z.int().min(200).max(599),
    body: z.unknown().optional(),
    retryAfterSeconds: z.number().min(0).optional(),
  }),
  z.strictObject({ error: z.string().max(1_000).describe("Nothing was heard: in doubt.") }),
  z.strictObject({ timeout: z.literal(true) }),
]);
const MocksBody = z
  .record(z.string(), z.union([Mocked, z.array(Mocked).min(1).max(SAGA_TEST_MOCKS_MAX)]))
  .describe("By step: one answer, or one for each attempt. A step without any succeeds.");
const After = z.number().min(0).max(31_536_000).describe("After the start.");

export const testBody = (addresses: AddressPolicy) =>
  z
    .strictObject({
      definition: sagaBody(addresses).optional(),
      saga: Slug.optional().describe("One that is saved, in place of `definition`."),
      version: Count.optional().describe(
        "Of the saved one: the present one, or one that is still kept.",
      ),
      input: z.unknown(),
      startAt: z.iso.datetime({ offset: true }).optional(),
      mocks: MocksBody.optional(),
      compensations: MocksBody.optional().describe("As `mocks`, for what undoes a step."),
      events: z
        .array(
          z.strictObject({ afterSeconds: After, event: z.unknown(), id: z.string().optional() }),
        )
        .max(SAGA_TEST_MOCKS_MAX)
        .optional(),
      signals: z
        .array(
          CommandBody.pick({ step: true, output: true, approved: true, seconds: true }).extend({
            afterSeconds: After,
            command: CommandName.optional().describe("`signal` if left out."),
            reason: z.string().max(500).optional(),
          }),
        )
        .max(SAGA_TEST_MOCKS_MAX)
        .optional(),
    })
    .refine(({ definition, saga }) => (definition === undefined) !== (saga === undefined), {
      error: "either a definition or the name of a saga",
      path: ["definition"],
    });
export type TestBody = z.infer<ReturnType<typeof testBody>>;
export type Given = z.infer<typeof Mocked>;

export const TestAnswer = z
  .object({
    ...InstanceAnswer.pick({ status: true, paused: true, reason: true }).shape,
    ...InstanceAnswer.pick({ steps: true, journal: true }).shape,
    endedAt: Time.describe("When nothing was left to do or to wait for."),
    stoppedBy: z
      .enum(["turns", "characters"])
      .nullable()
      .describe("The bound that ended it before its own end."),
    requests: z.array(
      z.object({
        ...{ at: Time, step: z.string(), attempt: Count },
        direction: z.enum(["action", "undo"]),
        method: z.string().optional(),
        url: z.string().optional().describe("What is added to its target's, if it has one."),
        target: z.string().optional(),
        headers: z.record(z.string(), z.string()).optional(),
        publish: z
          .object({
            type: z.string(),
            source: z.string().nullable(),
            subject: z.string().nullable(),
          })
          .optional(),
        child: z.enum(["run", "undo"]).optional(),
        saga: z.string().optional(),
        body: z.string().nullable(),
      }),
    ),
    ignored: z
      .array(z.object({ pointer: z.string(), detail: z.string() }))
      .describe("Events and signals without an effect, and why."),
  })
  .meta({ id: "SagaTest" });
