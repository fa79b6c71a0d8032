/** The next of a key goes when the one before has ended: the flow that ends it says so, or the sweeper finds it. */
import { base32 } from "../core/ids.ts";
import { ORDER_KEYS_PAGE } from "../core/order/limits.ts";
import { errorText } from "../ports/log.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";
import { sendDue } from "./revive.ts";

/** Has those go whose turn it is since something of their keys has ended. Never rejects: the sweeper finds them. */
export async function passTurns(keys: readonly string[], ports: DeliverPorts): Promise<void> {
  if (keys.length === 0) return;
  try {
    await sendNext(keys, ports);
  } catch (error) {
    ports.log.warn("turns-not-passed", { keys: keys.length, error: errorText(error) });
  }
}

/** What the queue does not take stays owed, and the sweeper sends it. Answers how many were let go. */
async function sendNext(keys: readonly string[], ports: DeliverPorts): Promise<number> {
  const turns = await ports.turns();
  const next = await inTime(turns.next(keys), ports);
  if (next.length > 0) await sendDue(next, ports);
  return next.length;
}

/** One bounded pass over keys of which something waits; of many it begins at another one each time. */
export async function sweepTurns(ports: DeliverPorts): Promise<number> {
  const turns = await ports.turns();
  let keys = await turns.waiting("");
  if (keys.length >= ORDER_KEYS_PAGE) keys = await turns.waiting(base32(ports.random.bytes(12)));
  return keys.length === 0 ? 0 : sendNext(keys, ports);
}
