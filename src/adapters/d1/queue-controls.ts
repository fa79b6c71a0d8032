/** What operators say of the queues, in D1: a row for each queue that was ever touched. */
import { type Change, changeOf, type Version } from "../../core/deed.ts";
import type { QueueName } from "../../core/priority.ts";
import { type QueueControl, uncontrolled } from "../../core/queue-control.ts";
import type { QueueControls } from "../../ports/queue-controls.ts";
import { number, type Row, type Session, text } from "./session.ts";
import { NOW } from "./statements.ts";

export const QUEUE_CONTROLS = "SELECT * FROM queue_controls";

/** ?1 = queue, ?2 = paused, ?3 = concurrency, ?4 = delay in seconds, ?5 = version it must have, 'any' or null. */
export const PUT_QUEUE_CONTROL = `
INSERT INTO queue_controls (queue, paused, concurrency, delay_seconds, paused_at, changed_at, version)
SELECT ?1, ?2, ?3, ?4, CASE WHEN ?2 THEN ${NOW} END, ${NOW}, 1
WHERE ?5 IS NULL OR ?5 IN (COALESCE((SELECT version FROM queue_controls WHERE queue = ?1), 0), 'any')
ON CONFLICT (queue) DO UPDATE SET
  paused = excluded.paused, concurrency = excluded.concurrency, delay_seconds = excluded.delay_seconds,
  paused_at = CASE WHEN excluded.paused THEN COALESCE(queue_controls.paused_at, excluded.paused_at) END,
  changed_at = excluded.changed_at, version = queue_controls.version + 1
RETURNING *`;

/** ?1 = queue, ?2 = paused. */
export const PAUSE_QUEUE = `
INSERT INTO queue_controls (queue, paused, delay_seconds, paused_at, changed_at, version)
VALUES (?1, ?2, 0, CASE WHEN ?2 THEN ${NOW} END, ${NOW}, 1)
ON CONFLICT (queue) DO UPDATE SET
  paused = excluded.paused,
  paused_at = CASE WHEN excluded.paused THEN COALESCE(queue_controls.paused_at, excluded.paused_at) END,
  changed_at = excluded.changed_at, version = queue_controls.version + 1
RETURNING *`;

/** `note` hears what each change has changed. */
export function createQueueControls(
  session: Session,
  note: (change: Change) => void = () => {},
): QueueControls {
  const read = async (): Promise<QueueControl[]> =>
    (await session.rows("queue-controls", QUEUE_CONTROLS, [])).map(readQueueControl);

  async function write(sql: string, params: (string | number | null)[]) {
    const [before = [], after = []] = await session.batch("put-queue-control", [
      { sql: QUEUE_CONTROLS, params: [] },
      { sql, params },
    ]);
    if (after[0] === undefined) return null;
    const written = readQueueControl(after[0]);
    const was = before.map(readQueueControl).find(({ queue }) => queue === written.queue);
    note(changeOf(versionOf(was ?? uncontrolled(written.queue)), versionOf(written), false));
    return written;
  }

  return {
    read,
    put: (queue, { isPaused, concurrency, delaySeconds }, ifVersion) =>
      write(PUT_QUEUE_CONTROL, [queue, isPaused ? 1 : 0, concurrency, delaySeconds, ifVersion]),
    pause: async (queue, isPaused) =>
      (await write(PAUSE_QUEUE, [queue, isPaused ? 1 : 0])) ?? uncontrolled(queue),
  };
}

function versionOf({ version, isPaused, concurrency, delaySeconds }: QueueControl): Version {
  const limit = concurrency === null ? {} : { concurrency };
  return { version, doc: JSON.stringify({ paused: isPaused, delaySeconds, ...limit }) };
}

const numberOrNull = (value: Row[string] | undefined): number | null =>
  value === null || value === undefined ? null : number(value);

export const readQueueControl = (row: Row): QueueControl => ({
  queue: text(row.queue) as QueueName,
  isPaused: number(row.paused) === 1,
  pausedAtMs: numberOrNull(row.paused_at),
  concurrency: numberOrNull(row.concurrency),
  delaySeconds: number(row.delay_seconds),
  changedAtMs: numberOrNull(row.changed_at),
  version: number(row.version),
});
