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
  SWEEP_GRACE_MS,
  SWEEP_PAGE,
  SWEEP_PAGES_MAX,
} from "../core/limits.ts";
import { QUEUES } from "../core/priority.ts";
import { within } from "../ports/clock.ts";
import type { DueDelivery } from "../ports/ledger.ts";
import type { DeliverPorts } from "./ports.ts";
import { againOf, sendPacks } from "./send-again.ts";
import type { SweepScope } from "./sweep.ts";

export interface Revived {
  revived: number;
  /** Deliveries whose event is no longer in the archive. */
  unreadable: number;
  complete: boolean;
}

/** How a pass reads what is due, and by how much it puts off what it sent. */
const PASSES = {
  overdue: {
    horizonMs: -SWEEP_GRACE_MS,
    page: SWEEP_PAGE,
    pages: SWEEP_PAGES_MAX,
    putOffMs: OUTBOX_RESEND_MS,
  },
  // What is not due yet is not put off: its new message may be lost like the last one, and the next
  // recovery must find it at its own time. It would fill every page, so there is only one.
  "all-due": {
    horizonMs: QUEUE_DELAY_SECONDS_MAX * 1_000,
    page: SWEEP_PAGE * SWEEP_PAGES_MAX,
    pages: 1,
    putOffMs: 0,
  },
} as const satisfies Record<SweepScope, object>;

/** Sends what is due, in small portions; what the queue refuses stays due for the next pass. */
export async function revive(scope: SweepScope, so: Revived, ports: DeliverPorts): Promise<void> {
  const { horizonMs, page, pages, putOffMs } = PASSES[scope];
  for (let read = 0; read < pages; read += 1) {
    const due = await ports.ledger.due(horizonMs, page);
    for (let at = 0; at < due.length; at += SWEEP_PAGE) {
      const some = due.slice(at, at + SWEEP_PAGE);
      const { sent, lost } = await sendDue(some, ports);
      so.revived += sent.length;
      so.unreadable += lost.length;
      if (sent.length > 0) await ports.ledger.putOff(sent, putOffMs);
      if (sent.length + lost.length < some.length) {
        so.complete = false; // the queue refuses
        return;
      }
    }
    if (due.length < page) return;
  }
  so.complete = false;
}

type Content = PackItem["content"];

/** Sends the due deliveries, most urgent first; those of one event that leave together share its frame. */
export async function sendDue(
  due: readonly DueDelivery[],
  ports: DeliverPorts,
  isReleased = false,
): Promise<{ sent: DueDelivery[]; lost: DueDelivery[] }> {
  const contents = await contentsOf(due, ports);
  const sent: DueDelivery[] = [];
  const lost = due.filter(({ event }) => !contents.has(event));
  for (const priority of QUEUES) {
    const mine = due.filter((each) => each.priority === priority && contents.has(each.event));
    const departures = Map.groupBy(mine, ({ dueInMs }) => departureSeconds(dueInMs) ?? 0);
    for (const [delaySeconds, leaving] of departures) {
      const items = [...Map.groupBy(leaving, ({ event }) => event)].flatMap(([event, owed]) => {
        const content = contents.get(event);
        const again = owed.map((each) => ({
          ...againOf(each),
          ...(isReleased ? { released: true as const } : {}),
        }));
        return content === undefined ? [] : [{ content, again }];
      });
      if (await sendPacks(items, priority, delaySeconds, ports)) sent.push(...leaving);
    }
  }
  if (lost.length > 0) await ports.ledger.bury(lost, "the event's bytes are not in the archive");
  return { sent, lost };
}

/** By event: its frame, or a pointer to one too big for a message; nothing for what is gone. */
async function contentsOf(
  due: readonly DueDelivery[],
  ports: DeliverPorts,
): Promise<Map<string, Content>> {
  const contents = new Map<string, Content>();
  const events = [...new Map(due.map((delivery) => [delivery.event, delivery])).values()];
  const failures: unknown[] = [];
  await mapWithin(
    events,
    { total: CONNECTIONS_MAX, perKey: CONNECTIONS_MAX },
    () => "archive",
    async (delivery) => {
      try {
        const content = await contentOf(delivery, ports);
        if (content !== null) contents.set(delivery.event, content);
        else {
          const { event, pointer } = delivery;
          ports.log.error("archive-missing", { event, segment: pointer.segment });
        }
      } catch (error) {
        failures.push(error);
      }
    },
  );
  // What could not be asked for is not gone.
  if (failures.length > 0) throw failures[0];
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
