/** The queues as they are now, and the program's own counters. */
import * as z from "zod";
import { QUEUES } from "../../src/core/priority.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import { COUNTERS } from "../../src/ports/meter.ts";
import { isoOrNull } from "./change.ts";
import { type Operation, operation } from "./operation.ts";
import { pageOf } from "./page.ts";
import { Count, Time } from "./schemas.ts";

const Queue = z.object({
  priority: z.enum(QUEUES),
  backlog: Count,
  backlogBytes: Count,
  oldestMessageAt: Time.nullable(),
  oldestMessageAgeMs: z.number().nullable(),
  inPerSecond: z.number(),
  outPerSecond: z.number(),
  paused: z.boolean(),
  consumer: z.object({
    maxBatchSize: Count,
    maxBatchTimeout: Count,
    maxRetries: Count,
    maxConcurrency: Count,
  }),
});

export const queueOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/queues",
    summary:
      "Per priority, and of replays: backlog, oldest message, throughput and consumer settings; and the outbox.",
    responses: { 200: "The queues." },
    answer: pageOf(Queue).extend({
      outbox: z.object({
        rows: Count,
        rowsMax: Count,
        oldestAt: Time.nullable(),
        oldestAgeMs: z.number().nullable(),
      }),
    }),
    async handle({ app }) {
      const { queues, outbox, meter, clock } = app.deliver;
      const nowMs = clock.nowMs();
      const items = await Promise.all(
        QUEUES.map(async (priority): Promise<z.infer<typeof Queue>> => {
          const metrics = await queues.metrics(priority);
          const { oldestMessageMs } = metrics;
          return {
            priority,
            backlog: metrics.backlog,
            backlogBytes: metrics.backlogBytes,
            oldestMessageAt: metrics.backlog === 0 ? null : isoOrNull(oldestMessageMs),
            oldestMessageAgeMs:
              metrics.backlog === 0 || oldestMessageMs === null
                ? null
                : Math.max(0, nowMs - oldestMessageMs),
            inPerSecond: meter.rate(`in_${priority}`, nowMs),
            outPerSecond: meter.rate(`out_${priority}`, nowMs),
            paused: false,
            consumer: CONSUMER_SETTINGS[priority],
          };
        }),
      );
      const { rows, rowsMax, oldestMs } = await outbox.state();
      const oldestAgeMs = oldestMs === null ? null : Math.max(0, nowMs - oldestMs);
      const kept = { rows, rowsMax, oldestAt: isoOrNull(oldestMs), oldestAgeMs };
      return { status: 200, body: { items, cursor: null, outbox: kept } };
    },
  }),
  operation({
    method: "get",
    path: "/admin/counters",
    summary: "What this isolate did and what it cost, since it started.",
    responses: { 200: "The counters." },
    answer: z.record(z.enum(COUNTERS), Count),
    async handle({ app }) {
      return { status: 200, body: { ...app.deliver.meter.read() } };
    },
  }),
];
