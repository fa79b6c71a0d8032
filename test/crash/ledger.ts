/** The router's own account of a run, read through the admin routes: it survives kills, counters do not. */
import type { Admin } from "../../src/local/admin.ts";
import { TENANTS } from "./plan.ts";
import { deliveryKey, type SentEvent } from "./verdict.ts";

const PAGE = 1_000;
const READERS = 4;

/** The state of every delivery of every tenant. */
export async function readLedger(admin: Admin): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for (const tenant of TENANTS) {
    let cursor: string | null = "";
    while (cursor !== null) {
      const from = cursor === "" ? "" : `&cursor=${cursor}`;
      const { status, body } = await admin.get(`tenants/${tenant}/deliveries?limit=${PAGE}${from}`);
      if (status !== 200) throw new Error(`The ledger answers ${status}.`);
      for (const { eventId, target, state } of body.items) {
        states.set(deliveryKey(eventId, target), state);
      }
      cursor = body.cursor;
    }
  }
  return states;
}

export interface Copies {
  /** Receipts that the router recorded as duplicates of an event it had. */
  readonly suppressed: number;
  /** Accepted with 202, and in no record. */
  readonly unrecorded: readonly string[];
}

/** Only what was sent more than once can have copies; each of its 202s has a receipt that must be found. */
export async function readCopies(sent: readonly SentEvent[], admin: Admin): Promise<Copies> {
  const waiting = sent.filter(({ requests, ids }) => requests > 1 && ids.size > 0);
  const unrecorded: string[] = [];
  let suppressed = 0;
  async function reader(): Promise<void> {
    for (let event = waiting.pop(); event !== undefined; event = waiting.pop()) {
      const [id = ""] = event.ids;
      const { body } = await admin.get(`tenants/${event.tenant}/events/${id}`);
      const receipts: { id: string; duplicate: boolean }[] = body.receipts ?? [];
      suppressed += receipts.filter(({ duplicate }) => duplicate).length;
      const recorded = new Set(receipts.map((receipt) => receipt.id));
      unrecorded.push(...event.receipts.filter((receipt) => !recorded.has(receipt)));
    }
  }
  await Promise.all(Array.from({ length: READERS }, reader));
  return { suppressed, unrecorded };
}
