/** The shape of a saga. */
import * as z from "zod";
import type { AddressPolicy } from "../../src/core/deliver/target-url.ts";
import { isCredentialHeader } from "../../src/core/ingest/headers.ts";
import { TYPE_LENGTH_MAX } from "../../src/core/ingest/limits.ts";
import { ON_TIMEOUTS, SETTLES } from "../../src/core/saga/definition.ts";
import { SAGA_SUBJECT_CHARACTERS_MAX } from "../../src/core/saga/limits.ts";
import { address, OwnHeaderName } from "./request-schemas.ts";
import { HeaderValue, Slug } from "./schemas.ts";
import { Retry } from "./target-schemas.ts";

/** Names of steps stand in references: $.steps.reserve.output. */
export const StepName = z
  .string()
  .regex(/^[A-Za-z_][\w-]{0,62}$/, "letters, digits, _ and -; at most 63, not first a digit");
export const Seconds = z.number().positive().max(31_536_000);
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
