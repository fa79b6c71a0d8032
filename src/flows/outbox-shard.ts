/**
 * A shard of the outbox: packs that a queue refused, or that must outlive a queue which keeps its
 * messages in memory. A row stays until the consumer says that its events are settled; alarms and the
 * sweeper send again what is not. The queue is only the messenger, the row is the truth.
 */
import type { Text } from "../core/crypto.ts";
import { withOrigin } from "../core/enqueue/pack.ts";
import { Retryable } from "../core/errors.ts";
import { OUTBOX_RESEND_MS, OUTBOX_ROWS_MAX, QUEUE_SEND_TIMEOUT_MS } from "../core/limits.ts";
import type { Priority, QueueName } from "../core/priority.ts";
import { type Clock, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type { OutboxState } from "../ports/outbox.ts";
import type { KeptPack, OutboxRows } from "../ports/outbox-rows.ts";
import type { Queues } from "../ports/queues.ts";

/** Rows one pass sends: about 4 MB; what is left follows in the next. */
const RESEND_PAGE = 64;
/** Pause before the next alarm while more is left; never "now", which loses the alarm. */
const RESEND_PAUSE_MS = 250;
/** After a refusal nothing is sent for this long; then one send finds out. */
const REFUSED_PAUSE_MS = 5_000;

export interface OutboxShardPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly queues: Pick<Queues, "send">;
  readonly rows: OutboxRows;
  readonly text: Text;
  /** Which nobody works on, as operators wish. */
  pausedQueues(): Promise<ReadonlySet<QueueName>>;
  /** Lets work go on after the answer. */
  defer(work: Promise<void>): void;
}

export interface OutboxShard {
  /** Keeps the packs and hands them to the queue; false when the shard is full and nothing was kept. */
  put(shard: number, priority: Priority, packs: readonly Uint8Array[]): Promise<boolean>;
  settled(rows: readonly number[]): void;
  /** Sends everything again: the queue that had it is known to have lost it. */
  recover(): Promise<void>;
  /** Sends what is due, a page at most, and arms the alarm for the rest. Never rejects. */
  relay(): Promise<number>;
  state(): OutboxState;
}

export function createOutboxShard(ports: OutboxShardPorts): OutboxShard {
  const { clock, log, queues, rows, text } = ports;
  /** Kept in memory so that most puts need not ask the storage. */
  let alarmAtMs: number | null = null;
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  /** What comes while a send is in flight goes with the next: fewer sends under load. */
  const waiting = new Map<Priority, KeptPack[]>();
  const sending = new Set<Priority>();

  /** Arms the alarm unless an earlier one is armed. */
  async function arm(atMs: number): Promise<void> {
    const armed = alarmAtMs ?? (await rows.alarmMs());
    if (armed !== null && armed <= atMs && armed > clock.nowMs()) {
      alarmAtMs = armed;
      return;
    }
    alarmAtMs = atMs;
    await rows.setAlarm(atMs);
  }

  /** A clock that was set back must not keep it paused until it has caught up. */
  function isPaused(): boolean {
    const sinceMs = clock.nowMs() - refusedAtMs;
    return sinceMs >= 0 && sinceMs < REFUSED_PAUSE_MS;
  }

  /** To the queue; what it refuses comes back with an early alarm. */
  async function send(priority: Priority, kept: readonly KeptPack[]): Promise<boolean> {
    try {
      if (isPaused()) throw new Retryable("the queue refused just now");
      const packs = kept.map(({ pack, origin }) => withOrigin(pack, origin, text));
      const late = () => new Retryable("queue did not answer in time");
      await within(queues.send(priority, packs), QUEUE_SEND_TIMEOUT_MS, clock, late);
      return true;
    } catch (error) {
      if (!isPaused()) {
        log.warn("outbox-send-failed", { priority, packs: kept.length, error: errorText(error) });
        refusedAtMs = clock.nowMs();
      }
      const againAtMs = refusedAtMs + REFUSED_PAUSE_MS;
      rows.setDue(
        kept.map(({ origin }) => origin.row),
        againAtMs,
      );
      await arm(againAtMs);
      return false;
    }
  }

  /** Sends what waits for a priority, group after group, until nothing does. */
  async function sendWaiting(priority: Priority): Promise<void> {
    if (sending.has(priority)) return;
    sending.add(priority);
    try {
      for (let kept = waiting.get(priority); kept?.length; kept = waiting.get(priority)) {
        waiting.set(priority, kept.slice(RESEND_PAGE));
        await send(priority, kept.slice(0, RESEND_PAGE));
      }
    } finally {
      sending.delete(priority);
    }
  }

  /** None when that cannot be found out: a copy too many is recognised. */
  async function pausedQueues(): Promise<ReadonlySet<QueueName>> {
    const late = () => new Retryable("the ledger did not answer in time");
    const asking = within(ports.pausedQueues(), QUEUE_SEND_TIMEOUT_MS, clock, late);
    return asking.catch(() => new Set());
  }

  async function relay(): Promise<number> {
    alarmAtMs = null;
    let sent = 0;
    try {
      let next = rows.nextDueMs();
      const isDue = next !== null && next <= clock.nowMs();
      const paused = isDue ? await pausedQueues() : new Set();
      const due = isDue ? rows.due(clock.nowMs(), RESEND_PAGE) : [];
      // All before the first is sent: another relay that comes meanwhile sends none of them.
      if (due.length > 0) {
        const ids = due.map(({ origin }) => origin.row);
        rows.setDue(ids, clock.nowMs() + OUTBOX_RESEND_MS);
      }
      for (const [priority, kept] of Map.groupBy(due, (row) => row.priority)) {
        // They wait in the queue, which has not lost them: it is not worked on.
        if (paused.has(priority)) continue;
        if (await send(priority, kept)) sent += kept.length;
      }
      if (isDue) next = rows.nextDueMs();
      if (next !== null) await arm(Math.max(next, clock.nowMs() + RESEND_PAUSE_MS));
    } catch (error) {
      // An alarm that throws is dropped by the platform after a few tries; the sweeper calls again.
      log.error("outbox-relay-failed", { error: errorText(error) });
    }
    return sent;
  }

  return {
    async put(shard, priority, packs) {
      if (rows.count() + packs.length > OUTBOX_ROWS_MAX) return false;
      const now = clock.nowMs();
      const kept = packs.map((pack): KeptPack => {
        const row = rows.add(shard, priority, pack, now, now + OUTBOX_RESEND_MS);
        return { origin: { shard, row }, priority, pack };
      });
      waiting.set(priority, [...(waiting.get(priority) ?? []), ...kept]);
      await arm(now + OUTBOX_RESEND_MS);
      ports.defer(sendWaiting(priority));
      return true;
    },

    settled: (settled) => rows.remove(settled),

    relay,

    async recover() {
      rows.setDue("all", 0);
      refusedAtMs = Number.NEGATIVE_INFINITY;
      await relay();
    },

    state: () => ({ rows: rows.count(), rowsMax: OUTBOX_ROWS_MAX, oldestMs: rows.oldestMs() }),
  };
}
