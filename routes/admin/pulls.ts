/** Queues that a team reads itself: pull, what it says of what it got, and where it goes on. */
import * as z from "zod";
import { deliveryId } from "../../src/core/ids.ts";
import type { Json } from "../../src/core/json.ts";
import { QUEUES } from "../../src/core/priority.ts";
import {
  PULL_ANSWERED_MAX,
  PULL_COUNT_DEFAULT,
  PULL_COUNT_MAX,
  PULL_LEASE_SECONDS_MAX,
  PULL_WAIT_SECONDS_MAX,
} from "../../src/core/pull/limits.ts";
import type { PullTarget } from "../../src/core/pull/pull.ts";
import { answerLeases, type Said } from "../../src/flows/answer-leases.ts";
import { pull } from "../../src/flows/pull.ts";
import { iso, isoOrNull } from "./change.ts";
import { type Operation, operation } from "./operation.ts";
import { PATH, readerOf, refusals, requireOpen } from "./pull-reader.ts";
import { Count, Slug, Time } from "./schemas.ts";
import { seekOperation } from "./seek.ts";

const PULLED_LATER = "what waits for it can be pulled when it is resumed";
const LeaseName = z.string().max(128);
const Leases = z.array(LeaseName).min(1).max(PULL_ANSWERED_MAX);
const LeaseSeconds = z.number().int().min(1).max(PULL_LEASE_SECONDS_MAX);

const PulledItem = z.object({
  lease: LeaseName.describe("What `ack`, `nack` and `extend` take."),
  leasedUntil: Time,
  delivery: z
    .string()
    .describe("The same whenever it is pulled: what must not be done twice is known by it."),
  event: z.string(),
  rule: Slug,
  priority: z.enum(QUEUES),
  attempt: Count.describe("1 for the first."),
  replay: z.string().nullable(),
  receivedAt: Time,
  content: z
    .custom<Json>()
    .describe("The event as rules saw it, or what the rule's transformer makes of it."),
});

const Answered = z.object({
  done: Count,
  refused: z
    .array(z.object({ lease: z.string(), reason: z.string() }))
    .describe("Nothing was changed for these: their leases are over."),
});

/** An operation by which a reader says something of leases. */
function answering<Body extends { leases: string[] }>(
  name: string,
  summary: string,
  body: z.ZodType<Body>,
  saidOf: (body: Body, target: PullTarget) => Said,
): Operation {
  return operation({
    method: "post",
    path: `${PATH}/${name}`,
    // A reader at its work, whose doings the ledger has.
    changes: false,
    summary,
    body,
    responses: { 200: "How many of them, and which are over and why.", ...refusals },
    answer: Answered,
    async handle(call) {
      const reader = await readerOf(call);
      const pulls = await call.app.deliver.pulls();
      const said = saidOf(call.body, reader.pull);
      const { done, refused } = await answerLeases(reader.id, call.body.leases, said, pulls);
      return { status: 200, body: { done, refused: [...refused] } };
    },
  });
}

export const pullOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: `${PATH}/pull`,
    changes: false,
    summary: "Leases what waits for a target's reader, the most urgent and oldest first.",
    body: z.strictObject({
      max: z.number().int().min(1).max(PULL_COUNT_MAX).optional(),
      leaseSeconds: LeaseSeconds.optional().describe("In place of the target's."),
      waitSeconds: z
        .number()
        .min(0)
        .max(PULL_WAIT_SECONDS_MAX)
        .optional()
        .describe("How long it waits for something to come."),
    }),
    bodyOptional: true,
    responses: {
      200: "What is leased now; empty when nothing waits.",
      404: "No such target.",
      409: "The target is of another kind, or closed; a pull that waits hears so within a second.",
    },
    answer: z.object({ items: z.array(PulledItem) }),
    async handle(call) {
      const reader = await readerOf(call);
      requireOpen(reader, PULLED_LATER);
      const { max = PULL_COUNT_DEFAULT, leaseSeconds, waitSeconds = 0 } = call.body ?? {};
      const leaseMs = leaseSeconds === undefined ? null : leaseSeconds * 1_000;
      const request = { id: reader.id, max, leaseMs, waitMs: waitSeconds * 1_000 };
      const items = await pull(request, call.app.deliver);
      // Its target has changed meanwhile. It may be open again by now.
      if (items === null) requireOpen(await readerOf(call), PULLED_LATER);
      return {
        status: 200,
        body: {
          items: (items ?? []).map(({ lease, leasedUntilMs, delivery, attempt, content }) => {
            const { event, subscription, rule, priority, replay, receivedAtMs } = delivery;
            return {
              ...{ lease, leasedUntil: iso(leasedUntilMs), event, rule, priority, attempt, replay },
              ...{
                delivery: deliveryId(event, subscription),
                receivedAt: iso(receivedAtMs),
                content,
              },
            };
          }),
        },
      };
    },
  }),
  answering(
    "ack",
    "Says that leased deliveries are done.",
    z.strictObject({ leases: Leases }),
    () => ({ kind: "ack" }),
  ),
  answering(
    "nack",
    "Gives leased deliveries back; the last time one is given back, it is a dead letter.",
    z.strictObject({
      leases: Leases,
      delaySeconds: z.number().int().min(0).max(PULL_LEASE_SECONDS_MAX).optional(),
      reason: z.string().max(500).optional(),
    }),
    ({ delaySeconds = 0, reason }, { attemptsMax }) => ({
      ...{ kind: "nack", delayMs: delaySeconds * 1_000, attemptsMax },
      reason: reason === undefined ? "given back" : `given back: ${reason}`,
    }),
  ),
  answering(
    "extend",
    "Has leases last for so long from now on.",
    z.strictObject({ leases: Leases, leaseSeconds: LeaseSeconds }),
    ({ leaseSeconds }) => ({ kind: "extend", leaseMs: leaseSeconds * 1_000 }),
  ),
  seekOperation,
  operation({
    method: "get",
    path: `${PATH}/backlog`,
    summary: "What waits for a target's reader, and what it holds.",
    responses: { 200: "By priority as well.", ...refusals },
    answer: z.object({
      waiting: Count.describe("To be leased now."),
      leased: Count,
      delayed: Count.describe("Given back by its reader, who wants it later."),
      oldestReceivedAt: Time.nullable(),
      oldestAgeSeconds: Count.nullable(),
      backlogMax: Count,
      priorities: z.array(
        z.object({
          ...{ priority: z.enum(QUEUES), waiting: Count, leased: Count, delayed: Count },
          oldestReceivedAt: Time,
        }),
      ),
    }),
    async handle(call) {
      const reader = await readerOf(call);
      const backlog = await (await call.app.deliver.pulls()).backlog(reader.id);
      const sum = (of: "waiting" | "leased" | "delayed") =>
        backlog.reduce((all, each) => all + each[of], 0);
      const oldestMs =
        backlog.length === 0
          ? null
          : Math.min(...backlog.map(({ oldestReceivedAtMs }) => oldestReceivedAtMs));
      const ageMs = oldestMs === null ? null : call.app.deliver.clock.nowMs() - oldestMs;
      return {
        status: 200,
        body: {
          ...{ waiting: sum("waiting"), leased: sum("leased"), delayed: sum("delayed") },
          oldestReceivedAt: isoOrNull(oldestMs),
          oldestAgeSeconds: ageMs === null ? null : Math.max(0, Math.floor(ageMs / 1_000)),
          backlogMax: reader.pull.backlogMax,
          priorities: backlog.map(({ oldestReceivedAtMs, ...counts }) => ({
            ...counts,
            oldestReceivedAt: iso(oldestReceivedAtMs),
          })),
        },
      };
    },
  }),
];
