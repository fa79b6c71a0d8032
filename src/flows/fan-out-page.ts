/**
 * A page of a fan-out: the next elements of the list, each an event of its own, made durable like one that came
 * from outside; then the page is written down. A death between sends the same page once more, which is the
 * same events.
 */
import type { EventRecord } from "../core/enqueue/record.ts";
import { elementRecord } from "../core/fan-out/element.ts";
import {
  FANOUT_AGE_MS_MAX,
  FANOUT_AHEAD_MAX,
  FANOUT_ELEMENT_BYTES_MAX,
  FANOUT_PAGE,
  FANOUT_PAGE_BYTES_MAX,
  FANOUT_RETRY_MS,
  FANOUT_WAIT_MS,
  FANOUT_WAIT_MS_MAX,
} from "../core/fan-out/limits.ts";
import { createSplitter } from "../core/fan-out/split.ts";
import { cancelledAgainMs, pauseMs } from "../core/replay.ts";
import type { FanOut, FanOutId, FanOuts } from "../ports/fan-outs.ts";
import { errorText } from "../ports/log.ts";
import { type AcceptPorts, enqueueAll } from "./accept-event.ts";
import { setOffFanOut } from "./wake.ts";

export interface FanOutPorts
  extends Pick<AcceptPorts, "archive" | "clock" | "commits" | "crypto" | "log" | "meter" | "text"> {
  readonly fanOuts: FanOuts;
}

/** Sends the next page; answers in how many milliseconds another is due, or null when none is. Never rejects. */
export async function fanOutPage(at: FanOutId, ports: FanOutPorts): Promise<number | null> {
  try {
    return await nextPage(at, ports);
  } catch (error) {
    ports.log.warn("fan-out-page-failed", {
      tenant: at.tenant,
      fanOut: at.id,
      error: errorText(error),
    });
    return FANOUT_RETRY_MS;
  }
}

/** Why its deliveries are given up. */
export const CANCELLED = "fan-out cancelled";

async function nextPage(at: FanOutId, ports: FanOutPorts): Promise<number | null> {
  const { fanOuts, log } = ports;
  const fanOut = await fanOuts.fanOut(at);
  if (fanOut?.state === "cancelled") return giveUpMore(fanOut, ports);
  if (fanOut?.state !== "running") return null;
  if (ports.clock.nowMs() - fanOut.createdAtMs > FANOUT_AGE_MS_MAX) {
    const reason = "it has not ended in the time for which the ledger keeps its deliveries";
    await fanOuts.move(at, ["running"], "failed", reason);
    log.error("fan-out-failed", { tenant: at.tenant, fanOut: at.id, sent: fanOut.sent, reason });
    return null;
  }
  const room = FANOUT_AHEAD_MAX - (await aheadOf(fanOut, ports));
  const most = Math.min(FANOUT_PAGE, fanOut.total - fanOut.sent, paceOf(fanOut));
  if (room < most) return waitMs(ports.clock.nowMs() - fanOut.updatedAtMs);
  const { parent, elements, offset } = await readPage(fanOut, most, ports);
  const records = elements.map((_, index) =>
    elementRecord(parent, fanOut, fanOut.sent + index, ports),
  );
  await enqueueAll(records, (at) => elements[at], ports);
  const sent = fanOut.sent + records.length;
  if (!(await fanOuts.advance(at, fanOut.rev, { sent, offset }))) return 0;
  ports.meter.add("events_accepted", records.length);
  ports.meter.passed(`in_${fanOut.priority}`, records.length, ports.clock.nowMs());
  if (sent === fanOut.total) return null;
  return fanOut.perSecond === null ? 0 : pauseMs(records.length, fanOut.perSecond);
}

/**
 * Gives up what is owed of a fan-out that was cancelled. Its object is woken before: it does the same until no
 * consumer has any of it in hand, and so it ends whatever comes of this call. Rejects when the ledger does not answer.
 */
export async function endCancelled(
  fanOut: FanOut,
  fanOuts: Pick<FanOuts, "giveUp">,
  ports: Parameters<typeof setOffFanOut>[1],
): Promise<void> {
  await setOffFanOut({ tenant: fanOut.tenant, id: fanOut.id }, ports);
  await fanOuts.giveUp(fanOut, CANCELLED);
}

/** What a batch had claimed before it was cancelled may be parked or retrying only now. */
async function giveUpMore(fanOut: FanOut, { fanOuts, clock }: FanOutPorts): Promise<number | null> {
  await fanOuts.giveUp(fanOut, CANCELLED);
  return cancelledAgainMs(clock.nowMs() - fanOut.updatedAtMs);
}

/** Later and later: a queue may be paused for days. */
const waitMs = (waitedMs: number): number =>
  Math.min(FANOUT_WAIT_MS_MAX, Math.max(FANOUT_WAIT_MS, Math.ceil(waitedMs / 10)));

/** About a second of its pace. */
const paceOf = ({ perSecond }: FanOut): number =>
  perSecond === null ? FANOUT_PAGE : Math.max(1, Math.floor(perSecond));

/** Elements that are sent, and of which the ledger knows nothing yet: they are in a queue. */
async function aheadOf(fanOut: FanOut, { fanOuts }: FanOutPorts): Promise<number> {
  const { sent, subscriptions } = fanOut;
  const from = Math.max(0, sent - FANOUT_AHEAD_MAX);
  if (from === sent) return 0;
  const known = Object.values(await fanOuts.states(fanOut, from, sent));
  const rows = known.reduce((sum, count) => sum + count, 0);
  return sent - from - Math.floor(rows / Math.max(1, subscriptions.length));
}

interface Page {
  readonly parent: EventRecord;
  readonly elements: readonly Uint8Array[];
  /** Behind them. */
  readonly offset: number;
}

/** Reads no further than the page goes. Throws when there is not a page to read: what was found is there. */
async function readPage(fanOut: FanOut, most: number, ports: FanOutPorts): Promise<Page> {
  const pointer = await ports.fanOuts.place(fanOut);
  const meta = pointer === null ? null : await ports.archive.meta(pointer);
  if (pointer === null || meta === null) throw new Error("the list's bytes are not in the archive");
  const elements: Uint8Array[] = [];
  let bytes = 0;
  let { offset } = fanOut;
  const splitter = createSplitter(FANOUT_ELEMENT_BYTES_MAX, (element, taken) => {
    elements.push(element);
    bytes += element.length;
    offset = fanOut.offset + taken;
    return elements.length < most && bytes < FANOUT_PAGE_BYTES_MAX;
  });
  const start = meta.bodyOffset + fanOut.offset;
  const length = meta.bodyOffset + meta.bodyBytes - start;
  const stream = await ports.archive.stream(pointer.segment, pointer.offset + start, length);
  if (stream === null) throw new Error("the list's bytes are not in the archive");
  const isFull = () => elements.length >= most || bytes >= FANOUT_PAGE_BYTES_MAX;
  for await (const chunk of stream) {
    for (let from = 0; from < chunk.length && !isFull() && !splitter.isEnded; ) {
      from = splitter.take(chunk, from);
    }
    if (isFull() || splitter.isEnded) break;
  }
  if (elements.length === 0) throw new Error("the list ends before its last element");
  return { parent: meta.record, elements, offset };
}
