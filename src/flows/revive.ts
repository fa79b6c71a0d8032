/** What is owed and carried by no message goes out again: the event's frame, or its place, from the archive. */
import { departureSeconds } from "../core/deliver/retry.ts";
import { mapWithin } from "../core/deliver/schedule.ts";
import type { PackItem } from "../core/enqueue/pack.ts";
import { Retryable } from "../core/errors.ts";
import {
  ARCHIVE_READ_TIMEOUT_MS,
  CONNECTIONS_MAX,
  OUTBOX_RESEND_MS,
  PACK_BYTES_MAX,
  QUEUE_DELAY_SECONDS_MAX,
  SWEEP_FAILED_MS,
  SWEEP_GRACE_MS,
  SWEEP_PAGE,
  SWEEP_PAGES_MAX,
  SWEEP_READS_FAILED_MAX,
} from "../core/limits.ts";
import { QUEUES, type QueueName } from "../core/priority.ts";
import { within } from "../ports/clock.ts";
import type { DueDelivery } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";
import { againOf, sendPacks } from "./send-again.ts";
import type { SweepScope } from "./sweep.ts";

export interface Revived {
  revived: number;
  /** Deliveries whose event is no longer in the archive. */
  unreadable: number;
  complete: boolean;
}

/** How a pass reads what is due, and by how much it puts off what it sent and what failed. */
const PASSES = {
  overdue: {
    horizonMs: -SWEEP_GRACE_MS,
    page: SWEEP_PAGE,
    pages: SWEEP_PAGES_MAX,
    putOffMs: OUTBOX_RESEND_MS,
    failedMs: SWEEP_FAILED_MS,
  },
  // What is not due yet is not put off: its new message may be lost like the last one, and the next
  // recovery must find it at its own time. It would fill every page, so there is only one.
  "all-due": {
    horizonMs: QUEUE_DELAY_SECONDS_MAX * 1_000,
    page: SWEEP_PAGE * SWEEP_PAGES_MAX,
    pages: 1,
    putOffMs: 0,
    failedMs: 0,
  },
} as const satisfies Record<SweepScope, object>;

/** What has failed in a pass, and is not asked again in it. */
interface Failed {
  readonly queues: Set<QueueName>;
  /** Events whose bytes could not be asked for. */
  readonly events: Set<string>;
}

const nothingFailed = (): Failed => ({ queues: new Set(), events: new Set() });

const hasFailed = ({ priority, event }: DueDelivery, { queues, events }: Failed): boolean =>
  queues.has(priority) || events.has(event);

/**
 * Sends what is due, in small portions. What a queue refuses or the archive does not say stays due, behind what is
 * overdue by then: the rest has its turn, and the next pass tries again.
 */
export async function revive(scope: SweepScope, so: Revived, ports: DeliverPorts): Promise<void> {
  const { horizonMs, page, pages, putOffMs, failedMs } = PASSES[scope];
  const failed = nothingFailed();
  for (let read = 0; read < pages; read += 1) {
    const due = await ports.ledger.due(horizonMs, page);
    for (let at = 0; at < due.length; at += SWEEP_PAGE) {
      const some = due.slice(at, at + SWEEP_PAGE);
      const { sent, lost } = await sendDue(some, ports, false, failed);
      so.revived += sent.length;
      so.unreadable += lost.length;
      if (sent.length > 0) await ports.ledger.putOff(sent, putOffMs);
      const done = new Set([...sent, ...lost]);
      const left = some.filter((each) => !done.has(each));
      if (left.length === 0) continue;
      so.complete = false;
      const behind = left.filter((each) => hasFailed(each, failed));
      if (behind.length > 0) await ports.ledger.putOff(behind, failedMs);
      // Too many reads have failed: what was not asked for keeps its place.
      if (behind.length < left.length) return;
    }
    if (due.length < page) return;
  }
  so.complete = false;
}

type Content = PackItem["content"];

/**
 * Sends the due deliveries, most urgent first; those of one event that leave together share its frame. What is
 * neither sent nor lost stays owed.
 */
export async function sendDue(
  due: readonly DueDelivery[],
  ports: DeliverPorts,
  isReleased = false,
  failed = nothingFailed(),
): Promise<{ sent: DueDelivery[]; lost: DueDelivery[] }> {
  const asked = due.filter((each) => !hasFailed(each, failed));
  const contents = await contentsOf(asked, failed, ports);
  const sent: DueDelivery[] = [];
  const lost = asked.filter(({ event }) => contents.get(event) === null);
  for (const priority of QUEUES) {
    const mine = asked.filter((each) => each.priority === priority && contents.get(each.event));
    const departures = Map.groupBy(mine, ({ dueInMs }) => departureSeconds(dueInMs) ?? 0);
    for (const [delaySeconds, leaving] of departures) {
      const items = [...Map.groupBy(leaving, ({ event }) => event)].flatMap(([event, owed]) => {
        const content = contents.get(event);
        const again = owed.map((each) => ({
          ...againOf(each),
          ...(isReleased ? { released: true as const } : {}),
        }));
        return content ? [{ content, again }] : [];
      });
      if (!(await sendPacks(items, priority, delaySeconds, ports))) {
        failed.queues.add(priority);
        break;
      }
      sent.push(...leaving);
    }
  }
  if (lost.length > 0) await ports.ledger.bury(lost, "the event's bytes are not in the archive");
  return { sent, lost };
}

/**
 * By event: its frame, or a pointer to one too big for a message; null for what is gone. Nothing for what could
 * not be asked for, which is not gone, and for what was not asked for since too much had failed.
 */
async function contentsOf(
  due: readonly DueDelivery[],
  failed: Failed,
  ports: DeliverPorts,
): Promise<Map<string, Content | null>> {
  const contents = new Map<string, Content | null>();
  const events = [...new Map(due.map((delivery) => [delivery.event, delivery])).values()];
  await mapWithin(
    events,
    { total: CONNECTIONS_MAX, perKey: CONNECTIONS_MAX },
    () => "archive",
    async (delivery) => {
      if (failed.events.size >= SWEEP_READS_FAILED_MAX) return;
      const { event, pointer } = delivery;
      const { segment } = pointer;
      try {
        const content = await contentOf(delivery, ports);
        contents.set(event, content);
        if (content === null) ports.log.error("archive-missing", { event, segment });
      } catch (error) {
        failed.events.add(event);
        ports.log.warn("archive-unreachable", { event, segment, error: errorText(error) });
      }
    },
  );
  return contents;
}

const late = () => new Retryable("the archive did not answer in time");

async function contentOf(
  { pointer, event, tenant }: DueDelivery,
  { archive, clock }: DeliverPorts,
): Promise<Content | null> {
  const inTime = <T>(reading: Promise<T>) => within(reading, ARCHIVE_READ_TIMEOUT_MS, clock, late);
  if (pointer.length <= PACK_BYTES_MAX / 2) return inTime(archive.frame(pointer));
  const isThere = (await inTime(archive.meta(pointer))) !== null;
  return isThere ? { pointer, id: event, receipt: "", tenant } : null;
}
