/** The bodies of targets: where deliveries may go, what goes with them, and how often they are tried. */
import * as z from "zod";
import {
  BATCH_EVENTS_MAX,
  BATCH_KILOBYTES_MAX,
  BATCH_SECONDS_MAX,
} from "../../src/core/batch/limits.ts";
import type { AddressPolicy } from "../../src/core/deliver/target-url.ts";
import type { Json } from "../../src/core/json.ts";
import { ATTEMPT_TIMEOUT_MS_MAX } from "../../src/core/limits.ts";
import { ORDER_HOLD_SECONDS_MAX } from "../../src/core/order/limits.ts";
import { ORDER_MODES, orderFaults } from "../../src/core/order/order.ts";
import type { Fault } from "../../src/core/problem.ts";
import {
  PULL_ATTEMPTS_MAX,
  PULL_BACKLOG_MAX,
  PULL_LEASE_SECONDS_MAX,
  PULL_RETENTION_SECONDS_MAX,
} from "../../src/core/pull/limits.ts";
import { isMethodName } from "../../src/core/stored-target.ts";
import { address, OwnHeaderName } from "./request-schemas.ts";
import { HeaderValue, Slug } from "./schemas.ts";
import { authBody } from "./target-auth.ts";
import { SigningSecrets } from "./target-secrets.ts";

export const Retry = z.union([
  z.strictObject({ delaysSeconds: z.array(z.number().min(0).max(604_800)).max(50) }),
  z.strictObject({
    maxAttempts: z.number().int().min(1).max(50),
    initialSeconds: z.number().min(0).max(86_400),
    factor: z.number().min(1).max(100),
    maxSeconds: z.number().min(0).max(604_800),
  }),
]);

export const SagaTargetBody = z.strictObject({
  kind: z.literal("saga"),
  saga: Slug,
  retry: Retry.optional(),
  paused: z.boolean().optional(),
});

export const EventTargetBody = z
  .strictObject({
    kind: z.literal("event"),
    source: Slug.optional().describe("Of the new event; the target's name, if it is left out."),
    type: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe("Of the new event; that of the event it gets, if it is left out."),
    retry: Retry.optional(),
    paused: z.boolean().optional(),
  })
  .describe("Makes a new event of each it gets, which meets the tenant's rules.");

export const PullTargetBody = z
  .strictObject({
    kind: z.literal("pull"),
    maxAttempts: z
      .number()
      .int()
      .min(1)
      .max(PULL_ATTEMPTS_MAX)
      .optional()
      .describe("How often a delivery is leased before it is a dead letter."),
    leaseSeconds: z.number().int().min(1).max(PULL_LEASE_SECONDS_MAX).optional(),
    retentionSeconds: z
      .number()
      .int()
      .min(60)
      .max(PULL_RETENTION_SECONDS_MAX)
      .optional()
      .describe("What has waited for so long is a dead letter."),
    backlogMax: z
      .number()
      .int()
      .min(1)
      .max(PULL_BACKLOG_MAX)
      .optional()
      .describe("Of more that wait, the least urgent and newest are dead letters."),
    paused: z.boolean().optional(),
  })
  .describe("A queue that its team reads itself.");

const GateBody = z
  .strictObject({
    concurrency: z.number().int().min(1).max(1_000).optional(),
    perSecond: z.number().positive().max(100_000).optional(),
    perDay: z.number().int().min(1).max(1_000_000_000).optional().describe("By UTC day."),
    adaptive: z
      .boolean()
      .optional()
      .describe("`concurrency` is the most that is tried; what the receiver takes is found out."),
  })
  .describe(
    "What the receiver can take. What is above it waits in the ledger, and goes out at its pace.",
  );

const BatchBody = z
  .strictObject({
    seconds: z.number().int().min(1).max(BATCH_SECONDS_MAX).optional(),
    kilobytes: z.number().int().min(1).max(BATCH_KILOBYTES_MAX).optional(),
    events: z.number().int().min(1).max(BATCH_EVENTS_MAX).optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    error: "names one of seconds, kilobytes and events at least",
  })
  .describe("Events go together, as one request, when the first of these is reached.");

const OrderBody = z
  .strictObject({
    key: z
      .string()
      .max(256)
      .describe("JSON path into the event: events of one value are in order."),
    mode: z.enum(ORDER_MODES),
    by: z
      .string()
      .max(256)
      .optional()
      .describe(
        "JSON path to a number or a time that says which event is the newer; its receipt, if it is left out.",
      ),
    holdSeconds: z
      .number()
      .int()
      .min(0)
      .max(ORDER_HOLD_SECONDS_MAX)
      .optional()
      .describe("Each delivery waits for so long since its receipt, so that older ones may come."),
  })
  .describe("Of deliveries that share a key; those without one go as they come.");

/** The faults of a target's order; what has no shape of one the schema names. */
export function orderFaultsOf(order: Json, batch: Json): Fault[] {
  if (order === null) return [];
  const detail = "Events of a batch go together: leave out `order` or `batch`.";
  const both = batch === null ? [] : [{ pointer: "/order", code: "not-with-batch", detail }];
  const read = OrderBody.safeParse(order);
  return [...both, ...(read.success ? orderFaults(read.data) : [])];
}

export const QueueTargetBody = z
  .strictObject({
    kind: z.literal("queue"),
    queue: Slug.describe("The name of a binding: `TARGET_QUEUE_ORDERS` is `orders`."),
    retry: Retry.optional(),
    paused: z.boolean().optional(),
  })
  .describe("Another Cloudflare Queue: it gets each event as a CloudEvent in JSON.");

export const ServiceTargetBody = z
  .strictObject({
    kind: z.literal("service"),
    service: Slug.describe("The name of a binding: `TARGET_SERVICE_BILLING` is `billing`."),
    path: z
      .string()
      .regex(/^\/[\x21-\x7e]*$/, "begins with a slash, without spaces")
      .max(1_024)
      .optional()
      .describe("Of the request that it gets; /, if it is left out."),
    method: z
      .string()
      .refine(isMethodName, "names no method of an entry point")
      .optional()
      .describe("Is called with a CloudEvent in the place of the request."),
    timeoutMs: z.number().int().min(100).max(ATTEMPT_TIMEOUT_MS_MAX).optional(),
    retry: Retry.optional(),
    gate: GateBody.optional(),
    paused: z.boolean().optional(),
  })
  .refine(({ path, method }) => path === undefined || method === undefined, {
    path: ["path"],
    error: "a method that is called has no path",
  })
  .describe("Another Worker: it gets each event as a request, or by a call of a method.");

export const targetBody = (addresses: AddressPolicy) =>
  z.discriminatedUnion("kind", [
    httpTargetBody(addresses),
    SagaTargetBody,
    EventTargetBody,
    PullTargetBody,
    QueueTargetBody,
    ServiceTargetBody,
  ]);

export const httpTargetBody = (addresses: AddressPolicy) =>
  z.strictObject({
    kind: z.literal("http"),
    url: address(addresses).meta({ format: "uri" }),
    handshake: z
      .literal("options")
      .optional()
      .describe("Nothing is sent until the receiver permits it (CloudEvents web hooks)."),
    headers: z.record(OwnHeaderName, HeaderValue).optional(),
    auth: authBody(addresses).optional(),
    secrets: SigningSecrets.optional(),
    timeoutMs: z.number().int().min(100).max(ATTEMPT_TIMEOUT_MS_MAX).optional(),
    retry: Retry.optional(),
    gate: GateBody.optional(),
    batch: BatchBody.optional(),
    order: OrderBody.optional(),
    paused: z.boolean().optional(),
  });
