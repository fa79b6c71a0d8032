/**
 * The fast path of a retry: the event's own frame in a delayed message. The ledger row written before
 * is the guarantee; when nothing comes of a message, the sweeper sends another.
 */
import type { Text } from "../core/crypto.ts";
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
      return sendPacks([...events.values()], priority as QueueName, Number(delay), ports);
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

/** An event that a message has no room for with all its deliveries goes with some of them at a time. */
function fitting(item: PackItem, text: Text): PackItem[] {
  const { content, again = [] } = item;
  if (again.length < 2) return [item];
  if (itemBytes(item, text) + HEADER_OVERHEAD_BYTES <= PACK_BYTES_MAX) return [item];
  const half = Math.ceil(again.length / 2);
  const halves = [again.slice(0, half), again.slice(half)];
  return halves.flatMap((some) => fitting({ content, again: some }, text));
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
  const { text } = ports;
  const whole = items.flatMap((item) => fitting(item, text));
  const groups = groupBySize(whole, (item) => itemBytes(item, text), PACK_BYTES_MAX);
  const packs = groups.map((group) => encodePack({ origin: null, items: group }, text));
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
