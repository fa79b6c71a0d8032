/**
 * The sweeper: what the ledger still owes and no message carries any more is sent again. Messages and
 * alarms are hints; this pass over the ledger is the guarantee.
 */
import type { PackItem } from "../core/enqueue/pack.ts";
import {
  DELETIONS_MAX,
  OUTBOX_RESEND_MS,
  PACK_BYTES_MAX,
  QUEUE_DELAY_SECONDS_MAX,
  SWEEP_GRACE_MS,
  SWEEP_PAGE,
  SWEEP_PAGES_MAX,
} from "../core/limits.ts";
import { PRIORITIES } from "../core/priority.ts";
import type { DueDelivery } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { DeliverPorts } from "./ports.ts";
import { sendPacks } from "./send-again.ts";

/** Not a schedule: how the local engine says that it restarted and its queues have lost everything. */
export const RECOVER_CRON = "@recover";

export interface Swept {
  readonly revived: number;
  /** Deliveries whose event is no longer in the archive. */
  readonly unreadable: number;
  /** Packs that the outbox kept although an alarm should have sent them. */
  readonly relayed: number;
  /** Rows of an expired generation that went, and those kept because something is still owed. */
  readonly dropped: number;
  readonly carried: number;
  /** Deliveries and objects of deleted tenants. */
  readonly removed: number;
  readonly complete: boolean;
}

export type SweepScope =
  /** What is overdue although the queue had its time to bring it. */
  | "overdue"
  /** Everything owed soon, because the messages that carried it are known to be gone. */
  | "all-due";

/** One bounded pass. Never rejects: a part that fails is logged, and the others have their turn. */
export async function sweep(scope: SweepScope, ports: DeliverPorts): Promise<Swept> {
  const swept = {
    ...{ relayed: 0, revived: 0, unreadable: 0, dropped: 0, carried: 0, removed: 0 },
    complete: true,
  };
  async function part(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      swept.complete = false;
      ports.log.error("sweep-failed", { scope, part: name, error: errorText(error) });
    }
  }
  await part("outbox", async () => {
    swept.relayed = await ports.outbox.wake();
  });
  await part("due", () => reviveDue(scope, swept, ports));
  await part("generations", async () => {
    // Once a generation it does something; otherwise it costs one read.
    const expired = await ports.ledger.expire(ports.clock.nowMs());
    swept.dropped = expired?.dropped ?? 0;
    swept.carried = expired?.carried ?? 0;
  });
  await part("jobs", async () => {
    const deletions = await ports.deletions.running(DELETIONS_MAX);
    if (deletions.length === 0) return;
    const { removeTenants } = await import("./delete-tenant.ts");
    const { removed, complete } = await removeTenants(deletions, scope === "all-due", ports);
    swept.removed = removed;
    if (!complete) swept.complete = false;
  });
  const { complete, ...counts } = swept;
  if (Object.values(counts).some((count) => count > 0))
    ports.log.info("swept", { scope, ...swept });
  return swept;
}

type Counts = { revived: number; unreadable: number; complete: boolean };

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
async function reviveDue(scope: SweepScope, swept: Counts, ports: DeliverPorts): Promise<void> {
  const { horizonMs, page, pages, putOffMs } = PASSES[scope];
  for (let read = 0; read < pages; read += 1) {
    const due = await ports.ledger.due(horizonMs, page);
    for (let at = 0; at < due.length; at += SWEEP_PAGE) {
      const some = due.slice(at, at + SWEEP_PAGE);
      const { sent, lost } = await sendDue(some, ports);
      swept.revived += sent.length;
      swept.unreadable += lost.length;
      if (sent.length > 0) await ports.ledger.putOff(sent, putOffMs);
      if (sent.length + lost.length < some.length) {
        swept.complete = false; // the queue refuses
        return;
      }
    }
    if (due.length < page) return;
  }
  swept.complete = false;
}

/** Sends the due deliveries, most urgent first. */
async function sendDue(
  due: readonly DueDelivery[],
  ports: DeliverPorts,
): Promise<{ sent: DueDelivery[]; lost: DueDelivery[] }> {
  const sent: DueDelivery[] = [];
  const lost: DueDelivery[] = [];
  for (const priority of PRIORITIES) {
    const byDelay = new Map<number, { delivery: DueDelivery; item: PackItem }[]>();
    for (const delivery of due) {
      if (delivery.priority !== priority) continue;
      const item = await itemOf(delivery, ports);
      if (item === null) lost.push(delivery);
      else {
        const delaySeconds = Math.max(0, Math.ceil(delivery.dueInMs / 1_000));
        const going = byDelay.get(delaySeconds) ?? [];
        byDelay.set(delaySeconds, going);
        going.push({ delivery, item });
      }
    }
    for (const [delaySeconds, going] of byDelay) {
      const items = going.map(({ item }) => item);
      if (await sendPacks(items, priority, delaySeconds, ports)) {
        sent.push(...going.map(({ delivery }) => delivery));
      }
    }
  }
  if (lost.length > 0) await ports.ledger.bury(lost, "the event's bytes are not in the archive");
  return { sent, lost };
}

/** The event's frame from the archive, or a pointer to it when it is too big for a message. */
async function itemOf(delivery: DueDelivery, ports: DeliverPorts): Promise<PackItem | null> {
  const { rule, target, attempts, pointer, event, tenant } = delivery;
  const again = [{ rule, target, attempts }];
  if (pointer.length > PACK_BYTES_MAX / 2) {
    return { content: { pointer, id: event, receipt: "", tenant }, again };
  }
  const frame = await ports.archive.frame(pointer);
  if (frame !== null) return { content: frame, again };
  ports.log.error("archive-missing", { event, segment: pointer.segment });
  return null;
}

/** After everything that was under way is known to be gone: leases end, and all that is owed goes out. */
export async function recoverAll(ports: DeliverPorts): Promise<void> {
  await ports.ledger.recover();
  await ports.outbox.recover();
  await sweep("all-due", ports);
}
