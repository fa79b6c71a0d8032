/** The router's own account of a run, read through the admin routes: it survives kills, counters do not. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin, AdminAnswer } from "../../src/local/admin.ts";
import { eventually } from "../support/wait.ts";
import { TENANTS } from "./plan.ts";
import { deliveryKey, type SentEvent } from "./verdict.ts";

const PAGE = 1_000;
const READERS = 4;
const LOOK_EVERY_MS = 500;
const ANSWER_MS_MAX = 30_000;

/** A router with much to catch up on may need to be asked twice. */
async function read(admin: Admin, path: string): Promise<AdminAnswer["body"]> {
  const unreachable = (error: unknown) => ({ status: 0, body: String(error) });
  const { body } = await eventually(
    () => admin.get(path).catch(unreachable),
    ({ status }) => status === 200,
    ANSWER_MS_MAX,
  );
  return body;
}

/** The state of every delivery of every tenant. */
export async function readLedger(admin: Admin): Promise<Map<string, string>> {
  const states = new Map<string, string>();
  for (const tenant of TENANTS) {
    let cursor: string | null = "";
    while (cursor !== null) {
      const from = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = await read(admin, `tenants/${tenant}/deliveries?limit=${PAGE}${from}`);
      for (const { eventId, target, state } of page.items) {
        states.set(deliveryKey(eventId, target), state);
      }
      cursor = page.cursor;
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

interface Receipt {
  readonly id: string;
  readonly duplicate: boolean;
}

/**
 * Only what was sent more than once can have copies. Each of its 202s has a receipt, which must be found
 * by `deadlineMs`: a copy is recorded in its own time, and nobody waits for it.
 */
export async function readCopies(
  sent: readonly SentEvent[],
  admin: Admin,
  deadlineMs: number,
): Promise<Copies> {
  const waiting = sent.filter(({ requests, ids }) => requests > 1 && ids.size > 0);
  const unrecorded: string[] = [];
  let suppressed = 0;
  async function readOne(event: SentEvent): Promise<void> {
    const [id = ""] = event.ids;
    for (;;) {
      const path = `tenants/${event.tenant}/events/${id}`;
      const { receipts }: { receipts: readonly Receipt[] } = await read(admin, path);
      const missing = event.receipts.filter((mine) => receipts.every((each) => each.id !== mine));
      if (missing.length === 0 || Date.now() > deadlineMs) {
        suppressed += receipts.filter(({ duplicate }) => duplicate).length;
        unrecorded.push(...missing);
        return;
      }
      await sleep(LOOK_EVERY_MS);
    }
  }
  async function reader(): Promise<void> {
    for (let event = waiting.pop(); event !== undefined; event = waiting.pop())
      await readOne(event);
  }
  await Promise.all(Array.from({ length: READERS }, reader));
  return { suppressed, unrecorded };
}
