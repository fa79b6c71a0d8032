/**
 * Making events durable, many at a time: by the queue, or by the outbox if that fails or if the queue
 * forgets. Each store has its own timeout; what hangs is treated as failed, and a copy that arrives
 * after all is told by its receipt.
 */
import type { Text } from "../core/crypto.ts";
import { createGroupCommit, type GroupCommit } from "../core/enqueue/group-commit.ts";
import {
  encodePack,
  groupBySize,
  isParcel,
  itemBytes,
  type PackItem,
} from "../core/enqueue/pack.ts";
import { Retryable } from "../core/errors.ts";
import {
  COMMIT_GATHER_MS,
  COMMIT_GATHER_TO_DISK_MS,
  COMMIT_STALL_MS,
  COMMITS_IN_FLIGHT_MAX,
  OUTBOX_PUT_TIMEOUT_MS,
  PACK_BYTES_MAX,
  QUEUE_BATCH_BYTES_MAX,
  QUEUE_SEND_TIMEOUT_MS,
} from "../core/limits.ts";
import type { Priority } from "../core/priority.ts";
import { type Clock, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type { Outbox } from "../ports/outbox.ts";
import type { Queues } from "../ports/queues.ts";

export interface EnqueuePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly outbox: Outbox;
  readonly queues: Queues;
  readonly text: Text;
}

export type OutboxMode = "on-failure" | "always";

/** Slack beyond both stores' timeouts before a request stops relying on another's commit. */
const ABANDON_SLACK_MS = 250;
/** What a sender is told to wait while the outbox is full. */
const OUTBOX_FULL_RETRY_MS = 5_000;

/** One group commit per priority, shared by all requests of the isolate. */
export function createCommits(
  mode: OutboxMode,
  ports: EnqueuePorts,
): Readonly<Record<Priority, GroupCommit<PackItem>>> {
  const commitsOf = (priority: Priority) =>
    createGroupCommit<PackItem>({
      commit: (items) => makeDurable(mode, priority, items, ports),
      sizeOf: (item) => itemBytes(item, ports.text),
      bytesMax: QUEUE_BATCH_BYTES_MAX - PACK_BYTES_MAX, // packing leaves gaps
      inFlightMax: COMMITS_IN_FLIGHT_MAX,
      stallMs: COMMIT_STALL_MS,
      abandonMs: QUEUE_SEND_TIMEOUT_MS + OUTBOX_PUT_TIMEOUT_MS + ABANDON_SLACK_MS,
      gatherMs: mode === "always" ? COMMIT_GATHER_TO_DISK_MS : COMMIT_GATHER_MS,
      nowMs: () => ports.clock.nowMs(),
      timer: (ms) => ports.clock.timer(ms),
    });
  return { critical: commitsOf("critical"), normal: commitsOf("normal"), bulk: commitsOf("bulk") };
}

/**
 * Resolves once all items are durable. A queue that keeps messages in memory is no store: with "always"
 * nothing but the outbox will do.
 */
async function makeDurable(
  mode: OutboxMode,
  priority: Priority,
  items: readonly PackItem[],
  ports: EnqueuePorts,
): Promise<void> {
  if (mode === "always") return toOutbox(priority, items, ports);
  try {
    const late = () => new Retryable("the queue did not answer in time");
    const sending = ports.queues.send(priority, packed(items, ports));
    await within(sending, QUEUE_SEND_TIMEOUT_MS, ports.clock, late);
  } catch (error) {
    ports.log.warn("queue-refused", { priority, events: items.length, error: errorText(error) });
    await toOutbox(priority, items, ports);
  }
}

async function toOutbox(
  priority: Priority,
  items: readonly PackItem[],
  ports: EnqueuePorts,
): Promise<void> {
  const { outbox, clock } = ports;
  const late = () => new Retryable("the outbox did not answer in time");
  // By tenant first: chance decides once for all of a tenant's, so that they share a row.
  const byTenant = Map.groupBy(items, tenantOf);
  const byShard = Map.groupBy(byTenant, ([tenant]) => outbox.shardOf(tenant));
  await Promise.all(
    [...byShard].map(async ([shard, tenants]) => {
      const group = tenants.flatMap(([, own]) => own);
      const putting = outbox.put(shard, priority, packed(group, ports));
      const kept = await within(putting, OUTBOX_PUT_TIMEOUT_MS, clock, late);
      if (!kept) throw new Retryable("the outbox is full", OUTBOX_FULL_RETRY_MS);
    }),
  );
}

const packed = (items: readonly PackItem[], { text }: EnqueuePorts): Uint8Array[] =>
  groupBySize(items, (item) => itemBytes(item, text), PACK_BYTES_MAX).map((group) =>
    encodePack({ origin: null, items: group }, text),
  );

const tenantOf = ({ content }: PackItem): string =>
  isParcel(content) ? content.tenant : content.record.tenant;
