/** Waking objects that go on by themselves: one that does not answer holds up nobody else. */
import type { Clock } from "../ports/clock.ts";
import type { FanOutId } from "../ports/fan-outs.ts";
import { errorText } from "../ports/log.ts";
import type { ReplayId } from "../ports/replays.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";

const LATE = "an object did not answer in time";

/** Wakes all; throws the first failure when every other has had its turn. */
export async function wakeEach<Item>(
  items: readonly Item[],
  wake: (item: Item) => Promise<void>,
  clock: Clock,
): Promise<void> {
  const woken = items.map((item) => inTime(wake(item), { clock }, LATE));
  const failed = (await Promise.allSettled(woken)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

/**
 * Has a replay go on that is written down as running. Never rejects: who asked for it must not ask again, which
 * would be another replay, because its object does not answer; the sweeper wakes it then.
 */
export async function setOffReplay(
  replay: ReplayId,
  { clock, log, replayers }: Pick<DeliverPorts, "clock" | "log" | "replayers">,
): Promise<void> {
  await wakeEach([replay], replayers.wake, clock).catch((error: unknown) => {
    log.warn("replay-not-woken", { ...replay, error: errorText(error) });
  });
}

/** Has a fan-out go on that is written down. Never rejects: what is not woken now, the sweeper wakes. */
export async function setOffFanOut(
  fanOut: FanOutId,
  { clock, log, fanOuts }: Pick<DeliverPorts, "clock" | "log" | "fanOuts">,
): Promise<void> {
  await wakeEach([fanOut], fanOuts.wake, clock).catch((error: unknown) => {
    log.warn("fan-out-not-woken", { ...fanOut, error: errorText(error) });
  });
}
