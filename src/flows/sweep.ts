/**
 * The sweeper: what the ledger still owes and no message carries any more is sent again. Messages and
 * alarms are hints; this pass over the ledger is the guarantee.
 */
import type { PackItem } from "../core/enqueue/pack.ts";
import {
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
  readonly complete: boolean;
}

export type SweepScope =
  /** What is overdue although the queue had its time to bring it. */
  | "overdue"
  /** Everything owed soon, because the messages that carried it are known to be gone. */
  | "all-due";

/** One bounded pass, and what is too old goes. Never rejects. */
export async function sweep(scope: SweepScope, ports: DeliverPorts): Promise<Swept> {
  const swept = await sendAllDue(scope, ports);
  await expire(ports);
  return swept;
}

/** Once a generation it does something; otherwise it costs one read. */
async function expire(ports: DeliverPorts): Promise<void> {
  try {
    const expired = await ports.ledger.expire(ports.clock.nowMs());
    const count = expired === null ? 0 : expired.dropped + expired.carried;
    if (count > 0) ports.log.info("expired", { ...expired });
  } catch (error) {
    ports.log.error("expire-failed", { error: errorText(error) });
  }
}

async function sendAllDue(scope: SweepScope, ports: DeliverPorts): Promise<Swept> {
  const horizonMs = scope === "overdue" ? -SWEEP_GRACE_MS : QUEUE_DELAY_SECONDS_MAX * 1_000;
  const putOffMs = OUTBOX_RESEND_MS + Math.max(0, horizonMs); // beyond this pass's own horizon
  let revived = 0;
  let unreadable = 0;
  try {
    for (let page = 0; page < SWEEP_PAGES_MAX; page += 1) {
      const due = await ports.ledger.due(horizonMs, SWEEP_PAGE);
      if (due.length === 0) return report({ revived, unreadable, complete: true }, scope, ports);
      const sent = await sendDue(due, ports);
      revived += sent.revived;
      unreadable += sent.unreadable;
      await ports.ledger.putOff(due, putOffMs);
      if (due.length < SWEEP_PAGE)
        return report({ revived, unreadable, complete: true }, scope, ports);
    }
  } catch (error) {
    ports.log.error("sweep-failed", { scope, error: errorText(error) });
  }
  return report({ revived, unreadable, complete: false }, scope, ports);
}

/** Sends the due deliveries, most urgent first; what the queue refuses waits for another pass. */
async function sendDue(
  due: readonly DueDelivery[],
  ports: DeliverPorts,
): Promise<Pick<Swept, "revived" | "unreadable">> {
  let revived = 0;
  const lost: DueDelivery[] = [];
  for (const priority of PRIORITIES) {
    const byDelay = new Map<number, PackItem[]>();
    for (const delivery of due) {
      if (delivery.priority !== priority) continue;
      const item = await itemOf(delivery, ports);
      if (item === null) lost.push(delivery);
      else {
        const delaySeconds = Math.max(0, Math.ceil(delivery.dueInMs / 1_000));
        byDelay.set(delaySeconds, [...(byDelay.get(delaySeconds) ?? []), item]);
      }
    }
    for (const [delaySeconds, items] of byDelay) {
      if (await sendPacks(items, priority, delaySeconds, ports)) revived += items.length;
    }
  }
  if (lost.length > 0) await ports.ledger.bury(lost, "the event's bytes are not in the archive");
  return { revived, unreadable: lost.length };
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

function report(swept: Swept, scope: SweepScope, ports: DeliverPorts): Swept {
  if (swept.revived + swept.unreadable > 0) ports.log.info("swept", { scope, ...swept });
  return swept;
}

/** After everything that was under way is known to be gone: leases end, and all that is owed goes out. */
export async function recoverAll(ports: DeliverPorts): Promise<void> {
  await ports.ledger.recover();
  await ports.outbox.recover();
  await sweep("all-due", ports);
}
