/** What one isolate has seen of tenants in each queue lately, and who gives way when the queue is late. */
import { allowances, isLate, type Standing } from "../core/deliver/fair-share.ts";
import {
  FAIR_FULL_MS,
  FAIR_PARKED_MAX,
  FAIR_TENANTS_MAX,
  FAIR_WINDOW_MS,
} from "../core/deliver/limits.ts";
import type { QueueRole } from "./deliver-batch.ts";
import type { GatedDuty } from "./gate-session.ts";
import type { OpenMessage } from "./open-messages.ts";
import { targetKey } from "./receivers.ts";

export interface FairShares {
  /** Which of a batch's deliveries go, and which wait with their gate because their tenant has had its share. */
  divide(
    role: QueueRole,
    duties: readonly GatedDuty[],
    waitedMs: number | null,
    nowMs: number,
  ): Divided;
  /** So many are parked for a target: no more are for this reason, for a time, if they are too many. */
  parked(key: string, count: number, nowMs: number): void;
}

export interface Divided {
  readonly going: readonly GatedDuty[];
  readonly waiting: readonly GatedDuty[];
}

interface Seen {
  seen: number;
  taken: number;
}

interface Lately {
  isLate: boolean;
  sinceMs: number;
  /** By tenant, of the window that runs, and of the one before it; who was seen last stands last. */
  now: Map<string, Seen>;
  before: ReadonlyMap<string, Seen>;
}

/** How long even the newest of a batch's messages waited, beyond what an operator wants; null: all came back. */
export function waitedMs(
  messages: readonly OpenMessage[],
  delaySeconds: number,
  nowMs: number,
): number | null {
  const sent = messages.flatMap(({ message: { attempts, sentAtMs } }) =>
    attempts === 1 ? [sentAtMs] : [],
  );
  return sent.length === 0 ? null : nowMs - Math.max(...sent) - delaySeconds * 1_000;
}

/** What came back has waited already: it is parked for this once, at most. */
const mayWait = ({ duty: { attempts, attemptsBase, isReleased } }: GatedDuty): boolean =>
  attempts === attemptsBase && !isReleased;

export function createFairShares(): FairShares {
  const queues = new Map<QueueRole, Lately>();
  const fullUntilMs = new Map<string, number>();

  function latelyOf(role: QueueRole, nowMs: number): Lately {
    let lately = queues.get(role);
    if (lately === undefined) {
      lately = { isLate: false, sinceMs: nowMs, now: new Map(), before: new Map() };
      queues.set(role, lately);
    }
    const passedMs = nowMs - lately.sinceMs;
    if (passedMs < FAIR_WINDOW_MS && passedMs >= 0) return lately;
    lately.before = passedMs >= 0 && passedMs < 2 * FAIR_WINDOW_MS ? lately.now : new Map();
    lately.now = new Map();
    lately.sinceMs = nowMs;
    return lately;
  }

  function note({ now }: Lately, tenant: string, more: Seen): void {
    const known = now.get(tenant) ?? { seen: 0, taken: 0 };
    now.delete(tenant);
    now.set(tenant, { seen: known.seen + more.seen, taken: known.taken + more.taken });
    const oldest = now.keys().next().value;
    if (now.size > FAIR_TENANTS_MAX && oldest !== undefined) now.delete(oldest);
  }

  function isFull({ duty }: GatedDuty, nowMs: number): boolean {
    return nowMs < (fullUntilMs.get(targetKey(duty)) ?? 0);
  }

  return {
    divide(role, duties, waited, nowMs) {
      const lately = latelyOf(role, nowMs);
      lately.isLate = isLate(lately.isLate, waited);
      const wanted = new Map<string, number>();
      for (const each of duties) {
        if (!mayWait(each)) continue;
        const { tenant } = each.duty;
        wanted.set(tenant, (wanted.get(tenant) ?? 0) + 1);
      }
      for (const [tenant, count] of wanted) note(lately, tenant, { seen: count, taken: 0 });
      const left = lately.isLate ? allowances(standings(lately, wanted)) : wanted;
      if (!lately.isLate || isAll(left, wanted)) {
        for (const [tenant, count] of wanted) note(lately, tenant, { seen: 0, taken: count });
        return { going: duties, waiting: [] };
      }
      const going: GatedDuty[] = [];
      const waiting: GatedDuty[] = [];
      for (const each of duties) {
        const { tenant } = each.duty;
        const places = left.get(tenant) ?? 0;
        if (!mayWait(each)) going.push(each);
        else if (places > 0 || isFull(each, nowMs)) {
          left.set(tenant, places - 1);
          note(lately, tenant, { seen: 0, taken: 1 });
          going.push(each);
        } else waiting.push(each);
      }
      return { going, waiting };
    },

    parked(key, count, nowMs) {
      fullUntilMs.delete(key);
      if (count < FAIR_PARKED_MAX) return;
      fullUntilMs.set(key, nowMs + FAIR_FULL_MS);
      const oldest = fullUntilMs.keys().next().value;
      if (fullUntilMs.size > FAIR_TENANTS_MAX && oldest !== undefined) fullUntilMs.delete(oldest);
    },
  };
}

const isAll = (some: ReadonlyMap<string, number>, all: ReadonlyMap<string, number>): boolean =>
  [...all].every(([tenant, count]) => some.get(tenant) === count);

function standings(
  { now, before }: Lately,
  wanted: ReadonlyMap<string, number>,
): ReadonlyMap<string, Standing> {
  const tenants = new Set([...before.keys(), ...now.keys()]);
  return new Map(
    [...tenants].map((tenant): [string, Standing] => {
      const [late, early] = [now.get(tenant), before.get(tenant)];
      return [
        tenant,
        {
          wanted: wanted.get(tenant) ?? 0,
          seen: (late?.seen ?? 0) + (early?.seen ?? 0),
          taken: (late?.taken ?? 0) + (early?.taken ?? 0),
        },
      ];
    }),
  );
}
