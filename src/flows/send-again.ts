/**
 * The fast path of a retry: the event's own frame in a delayed message. The ledger row written before
 * is the guarantee; when nothing comes of a message, the sweeper sends another.
 */
import { departureSeconds } from "../core/deliver/retry.ts";
import {
  type Again,
  encodePack,
  groupBySize,
  HEADER_OVERHEAD_BYTES,
  itemBytes,
  type PackItem,
} from "../core/enqueue/pack.ts";
import { PACK_BYTES_MAX, SEND_AGAIN_TIMEOUT_MS } from "../core/limits.ts";
import type { QueueName } from "../core/priority.ts";
import { within } from "../ports/clock.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export interface Settled {
  readonly held: HeldEvent;
  readonly result: DeliveryResult;
}

/** An event's content and the deliveries of it that go out at one moment by one queue. */
interface Going {
  readonly content: PackItem["content"];
  readonly again: Again[];
}

/** Sends packs for everything that is owed within the longest delay a message may have. */
export async function sendAgain(settled: readonly Settled[], ports: DeliverPorts): Promise<void> {
  const byDeparture = new Map<string, Map<HeldEvent, Going>>();
  for (const { held, result } of settled) {
    if (result.state !== "retrying" && result.state !== "pending") continue;
    const delaySeconds = departureSeconds(result.dueInMs ?? 0);
    if (delaySeconds === null) continue;
    const departure = `${result.priority} ${delaySeconds}`;
    const events = byDeparture.get(departure) ?? new Map<HeldEvent, Going>();
    byDeparture.set(departure, events);
    const going = events.get(held) ?? { content: contentOf(held), again: [] };
    events.set(held, going);
    going.again.push(againOf(result));
  }
  await Promise.all(
    [...byDeparture].map(([departure, events]) => {
      const [priority, delay] = departure.split(" ");
      const items = [...events.values()].flatMap((going) => fitting(going, ports));
      return sendPacks(items, priority as QueueName, Number(delay), ports);
    }),
  );
}

/** One delivery as a message names it. */
export function againOf({
  rule,
  target,
  attempts,
  replay,
}: Pick<DeliveryResult, "rule" | "target" | "attempts"> & {
  replay?: string | null | undefined;
}): Again {
  return { rule, target, attempts, ...(typeof replay === "string" ? { replay } : {}) };
}

/** An event nearly as big as a message takes one delivery along at a time. */
function fitting(going: Going, { text }: Pick<DeliverPorts, "text">): PackItem[] {
  if (itemBytes(going, text) + HEADER_OVERHEAD_BYTES <= PACK_BYTES_MAX) return [going];
  return going.again.map((again) => ({ content: going.content, again: [again] }));
}

const late = () => new Error("the queue did not answer in time");

/**
 * Sends items as few packs; a failure is logged and left to the sweeper. So is a send that is late: should the queue
 * take it after all, there are two messages of one delivery, of which the first claim makes the other one stale.
 */
export async function sendPacks(
  items: readonly PackItem[],
  priority: QueueName,
  delaySeconds: number,
  ports: Pick<DeliverPorts, "clock" | "queues" | "text" | "log">,
): Promise<boolean> {
  const groups = groupBySize(items, (item) => itemBytes(item, ports.text), PACK_BYTES_MAX);
  const packs = groups.map((group) => encodePack({ origin: null, items: group }, ports.text));
  try {
    const sending = ports.queues.send(priority, packs, delaySeconds);
    await within(sending, SEND_AGAIN_TIMEOUT_MS, ports.clock, late);
    return true;
  } catch (error) {
    ports.log.warn("send-again-failed", { priority, packs: packs.length, error: errorText(error) });
    return false;
  }
}

function contentOf(held: HeldEvent): PackItem["content"] {
  if (held.frame !== null) return held.frame;
  const { id, receipt, tenant } = held.record;
  return { pointer: held.pointer ?? { segment: "", offset: 0, length: 0 }, id, receipt, tenant };
}
