/** The queues as they are now, and the program's own counters. */
import * as z from "zod";
import type { App } from "../../src/compose.ts";
import { isJsonObject } from "../../src/core/json.ts";
import { CONNECTIONS_MAX } from "../../src/core/limits.ts";
import { QUEUE_DELAY_CONTROL_SECONDS_MAX } from "../../src/core/operator-limits.ts";
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import {
  connectionsOf,
  controlsOf,
  limitationsOf,
  type QueueControl,
  uncontrolled,
  waitingSinceMs,
} from "../../src/core/queue-control.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import { inTime } from "../../src/flows/in-time.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { viewParts } from "../../src/flows/view-parts.ts";
import { COUNTERS } from "../../src/ports/meter.ts";
import { isoOrNull, preconditionFailed } from "./change.ts";
import { Limitation, limitationView } from "./limitation.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { pageOf } from "./page.ts";
import { Count, Time } from "./schemas.ts";

const DELIVERIES_AT_ONCE =
  "Deliveries of one batch at once. How many batches run at once is the platform's `max_concurrency`.";

const Control = z
  .object({
    id: z.enum(QUEUES),
    paused: z.boolean(),
    pausedAt: Time.nullable(),
    concurrency: Count.describe(DELIVERIES_AT_ONCE),
    delaySeconds: Count,
    updatedAt: Time.nullable(),
    version: Count,
  })
  .meta({ id: "QueueControl" });

const Queue = z.object({
  priority: z.enum(QUEUES),
  backlog: Count.nullable().describe("Null: the queue did not say in time what waits in it."),
  backlogBytes: Count.nullable(),
  oldestMessageAt: Time.nullable(),
  oldestMessageAgeMs: z.number().nullable(),
  inPerSecond: z.number(),
  outPerSecond: z.number(),
  paused: z.boolean(),
  control: Control,
  limits: z.array(Limitation).describe("What limits it right now; empty: nothing does."),
  consumer: z
    .object({
      maxBatchSize: Count,
      maxBatchTimeout: Count,
      maxRetries: Count,
      maxConcurrency: Count,
    })
    .describe("Of the platform's consumer, as it was deployed."),
});

/** What only a deployment can change, and where that is written. */
const DEPLOYED: Readonly<Record<string, string>> = {
  batchSize: "max_batch_size",
  maxConcurrency: "max_concurrency",
};

const REFUSED = "Refused: it is the platform's, and only a deployment changes it.";

const ControlBody = z.strictObject({
  paused: z.boolean(),
  concurrency: z.int().min(1).max(CONNECTIONS_MAX).optional().describe(DELIVERIES_AT_ONCE),
  delaySeconds: z
    .int()
    .min(0)
    .max(QUEUE_DELAY_CONTROL_SECONDS_MAX)
    .optional()
    .describe("So long each batch waits before it is worked on."),
  batchSize: z.unknown().optional().describe(REFUSED),
  maxConcurrency: z.unknown().optional().describe(REFUSED),
});

const PATH = "/admin/queues/{priority}";

function queueOf(params: Readonly<Record<string, string>>): QueueName {
  const queue = QUEUES.find((each) => each === params.priority);
  if (queue === undefined) throw notFound("queue");
  return queue;
}

async function controlOf(queue: QueueName, { deliver }: App): Promise<QueueControl> {
  const controls = controlsOf(await deliver.ledger.queueControls());
  return controls.get(queue) ?? uncontrolled(queue);
}

/** Retries that fell due meanwhile, and what gates have parked, have no message that comes by itself. */
const isOpened = (before: QueueControl, now: QueueControl): boolean =>
  before.isPaused && !now.isPaused;

const controlView = (control: QueueControl): z.infer<typeof Control> => ({
  id: control.queue,
  paused: control.isPaused,
  pausedAt: isoOrNull(control.pausedAtMs),
  concurrency: connectionsOf(control),
  delaySeconds: control.delaySeconds,
  updatedAt: isoOrNull(control.changedAtMs),
  version: control.version,
});

const controlReply = (control: QueueControl) => ({
  status: 200,
  body: controlView(control),
  version: control.version,
});

const HOLDS =
  "It holds within a second; what was being sent then ends. A delay holds from the next batch on of each isolate that has heard of it: one that was idle hears with its first batch, which does not wait.";

const pausing = (command: "pause" | "resume", summary: string): Operation =>
  operation({
    method: "post",
    path: `${PATH}/${command}`,
    recorded: "with-change",
    summary,
    responses: { 200: HOLDS, 404: "No such queue." },
    answer: Control,
    async handle({ app, stores, params, defer }) {
      const queue = queueOf(params);
      if (command === "pause") return controlReply(await stores.queueControls.pause(queue, true));
      const before = await controlOf(queue, app);
      const control = await stores.queueControls.pause(queue, false);
      if (isOpened(before, control)) defer(sweep("overdue", app.deliver));
      return controlReply(control);
    },
  });

export const queueOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/queues",
    summary:
      "Per priority, and of replays: backlog, oldest message, throughput and consumer settings; and the outbox.",
    responses: { 200: "The queues." },
    answer: pageOf(Queue).extend({
      outbox: z
        .object({
          rows: Count,
          rowsMax: Count,
          oldestAt: Time.nullable(),
          oldestAgeMs: z.number().nullable(),
        })
        .nullable()
        .describe("Null: it did not say in time."),
    }),
    async handle({ app }) {
      const { ledger, queues, outbox, meter, clock } = app.deliver;
      const nowMs = clock.nowMs();
      const parts = viewParts("queues", app.deliver);
      const controls = controlsOf(await inTime(ledger.queueControls(), { clock }));
      const ageMs = (atMs: number | null) => (atMs === null ? null : Math.max(0, nowMs - atMs));
      const reading = QUEUES.map(async (priority): Promise<z.infer<typeof Queue>> => {
        const metrics = await parts.read(priority, () => queues.metrics(priority), null);
        const control = controls.get(priority) ?? uncontrolled(priority);
        const consumer = CONSUMER_SETTINGS[priority];
        const oldestMs = metrics?.backlog ? metrics.oldestMessageMs : null;
        const limits = limitationsOf(control, consumer, waitingSinceMs(metrics, nowMs));
        return {
          priority,
          backlog: metrics?.backlog ?? null,
          backlogBytes: metrics?.backlogBytes ?? null,
          ...{ oldestMessageAt: isoOrNull(oldestMs), oldestMessageAgeMs: ageMs(oldestMs) },
          inPerSecond: meter.rate(`in_${priority}`, nowMs),
          outPerSecond: meter.rate(`out_${priority}`, nowMs),
          paused: control.isPaused,
          control: controlView(control),
          limits: limits.map(limitationView),
          consumer,
        };
      });
      const [state, ...items] = await Promise.all([
        parts.read("outbox", () => outbox.state(), null),
        ...reading,
      ]);
      const kept = state && {
        ...{ rows: state.rows, rowsMax: state.rowsMax },
        ...{ oldestAt: isoOrNull(state.oldestMs), oldestAgeMs: ageMs(state.oldestMs) },
      };
      return { status: 200, body: { items, cursor: null, outbox: kept } };
    },
  }),
  operation({
    method: "get",
    path: PATH,
    summary: "What operators say of a queue.",
    responses: { 200: "Its control.", 404: "No such queue." },
    answer: Control,
    async handle({ app, params }) {
      return controlReply(await controlOf(queueOf(params), app));
    },
  }),
  operation<z.infer<typeof ControlBody>>({
    method: "put",
    path: PATH,
    recorded: "with-change",
    summary: "Says how a queue is worked on: whether at all, how wide and after what delay.",
    body: ControlBody,
    responses: { 200: HOLDS, 404: "No such queue." },
    answer: Control,
    faults: async (sent) =>
      Object.entries(DEPLOYED)
        .filter(([name]) => isJsonObject(sent) && Object.hasOwn(sent, name))
        .map(([name, setting]) => {
          const detail = `It is the platform's, and holds from a deployment on: ${setting} in wrangler.toml.`;
          return { pointer: `/${name}`, code: "needs-deployment", detail };
        }),
    async handle({ app, stores, params, body, ifVersion, defer }) {
      const queue = queueOf(params);
      const { paused: isPaused, concurrency = null, delaySeconds = 0 } = body;
      const control = { isPaused, concurrency, delaySeconds };
      const before = await controlOf(queue, app);
      const written = await stores.queueControls.put(queue, control, ifVersion);
      if (written !== null) {
        if (isOpened(before, written)) defer(sweep("overdue", app.deliver));
        return controlReply(written);
      }
      const { version } = await controlOf(queue, app);
      throw preconditionFailed(version);
    },
  }),
  pausing("pause", "Pauses a queue: what is in it stays there until it is resumed."),
  pausing("resume", "Has a paused queue go on."),
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
