/**
 * Making events durable, many at a time: to the queue first and to the outbox if that fails, or the
 * other way round where the queue forgets. Each store has its own timeout; what hangs is treated as
 * failed, and a copy that arrives after all is told by its receipt.
 */
import type { Text } from "../core/crypto.ts";
import { createGroupCommit, type GroupCommit } from "../core/enqueue/group-commit.ts";
import { encodePack, groupBySize, itemBytes, type PackItem } from "../core/enqueue/pack.ts";
import { Retryable } from "../core/errors.ts";
import {
  COMMIT_GATHER_MS,
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
      gatherMs: COMMIT_GATHER_MS,
      nowMs: () => ports.clock.nowMs(),
      timer: (ms) => ports.clock.timer(ms),
    });
  return { critical: commitsOf("critical"), normal: commitsOf("normal"), bulk: commitsOf("bulk") };
}

/** Resolves once the first store or, failing that, the second has all items. */
async function makeDurable(
  mode: OutboxMode,
  priority: Priority,
  items: readonly PackItem[],
  ports: EnqueuePorts,
): Promise<void> {
  const groups = groupBySize(items, (item) => itemBytes(item, ports.text), PACK_BYTES_MAX);
  const packs = groups.map((group) => encodePack({ origin: null, items: group }, ports.text));
  const late = (store: string) => () => new Retryable(`${store} did not answer in time`);
  const toQueue = () =>
    within(ports.queues.send(priority, packs), QUEUE_SEND_TIMEOUT_MS, ports.clock, late("queue"));
  const toOutbox = () =>
    within(ports.outbox.put(priority, packs), OUTBOX_PUT_TIMEOUT_MS, ports.clock, late("outbox"));
  const [first, second] = mode === "always" ? [toOutbox, toQueue] : [toQueue, toOutbox];
  try {
    await first();
  } catch (error) {
    ports.log.warn("first-store-failed", { mode, priority, error: errorText(error) });
    await second();
  }
}
