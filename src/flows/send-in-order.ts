/** Deliveries of one key that have their turn together: one after the other, in one place of the batch. */
import type { LetGo } from "../core/deliver/schedule.ts";
import { ORDER_NEXT_MAX } from "../core/order/limits.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { waitOut } from "./gate-lease.ts";
import type { GatedDuty, GateSession } from "./gate-session.ts";
import type { DeliverPorts } from "./ports.ts";
import { behind, freesItsKey } from "./take-turns.ts";

export interface Chain {
  /** What goes behind the first. */
  readonly rest: readonly GatedDuty[];
  readonly gates: GateSession;
  readonly ports: Pick<DeliverPorts, "clock">;
  /** Whether the ledger has what came of it. */
  isWritten(gated: GatedDuty): Promise<boolean>;
  end(gated: GatedDuty, result: DeliveryResult): void;
  park(gated: GatedDuty): void;
  /** Answers its result, if it has come to an end here and now. */
  send(gated: GatedDuty, letGo: LetGo): Promise<DeliveryResult | null>;
}

/** As far as each frees the key for the next; what is left waits in the ledger. */
export async function sendInOrder(head: GatedDuty, chain: Chain, letGo: LetGo): Promise<void> {
  const left = [...chain.rest];
  let sent = 0;
  const leave = (last: GatedDuty): void => {
    for (const each of left.splice(0)) chain.end(each, behind(each, last.duty));
  };
  for (let gated: GatedDuty | undefined = head; gated !== undefined; ) {
    const current: GatedDuty = gated;
    const result: DeliveryResult | null = await chain.send(current, () => {
      // Nobody waits for it, nor for what is behind it.
      leave(current);
      letGo();
    });
    const mode = current.duty.place?.mode ?? "fifo";
    sent += 1;
    // A key that is hot holds up nobody else's portion: what is left is called when its turn comes.
    if (sent >= ORDER_NEXT_MAX) return leave(current);
    if (left.length > 0 && !(freesItsKey(result, mode) && (await chain.isWritten(current)))) {
      return leave(current);
    }
    gated = left.shift();
    if (gated !== undefined && !(await hasPace(gated, chain))) {
      chain.park(gated);
      return leave(gated);
    }
  }
}

/** Waits for the pace of its gate; false where that lets no more begin. */
async function hasPace({ duty }: GatedDuty, { gates, ports }: Chain): Promise<boolean> {
  const limit = gates.limitOf(gates.keyOf(duty));
  if (limit === undefined) return true;
  const hasCome = await waitOut(limit.waitMs, ports.clock);
  if (hasCome) limit.take();
  return hasCome;
}
