/**
 * Deliveries of targets with an order, in one batch: each asks for its turn before anything is sent. Those of one
 * key that have it go one after the other, each when the ledger has what came of the one before.
 */
import { LEASE_SECONDS } from "../core/limits.ts";
import { ORDER_RETRY_MS } from "../core/order/limits.ts";
import { type OrderMode, type Place, placeOf } from "../core/order/order.ts";
import { compareAge, waitsReason } from "../core/order/turns.ts";
import { isFinal } from "../core/settle.ts";
import type { Target, Tenant } from "../core/tenant.ts";
import { keyOf } from "../ports/claim.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import type { Claimed } from "./claim.ts";
import { recorded } from "./deliver.ts";
import type { Duty } from "./duty.ts";
import { eventIn } from "./event-view.ts";
import type { GatedDuty } from "./gate-session.ts";
import { inTime } from "./in-time.ts";
import type { KeptOf } from "./keep-segments.ts";
import { type HeldEvent, tryAgainLater } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export interface TakenTurns {
  /** All that have their turn, and of each key the first: the rest goes behind it. */
  readonly granted: readonly GatedDuty[];
  readonly heads: readonly GatedDuty[];
  /** What goes behind `head`, in order. */
  behind(head: GatedDuty): readonly GatedDuty[];
  /** The claim as it is from now on: by row what has its turn, and without what waits or was passed. */
  readonly claimed: Claimed;
  readonly keys: readonly string[];
}

type Settle = (held: HeldEvent, result: DeliveryResult, last: boolean) => Promise<void>;

/** Replays are exempt: what is sent once more is of the past. */
function placeIn(duty: Duty, target: Target, ports: DeliverPorts): Place | null {
  if (target.order === undefined || duty.replay !== undefined) return null;
  return placeOf(target.order, duty, eventIn(duty.held, ports), ports.crypto, ports.text);
}

/** What does not end here keeps its place while its target is closed, or on its way to another queue. */
export function withPlace(
  result: DeliveryResult,
  duty: Duty,
  tenants: ReadonlyMap<string, Tenant | null>,
  ports: DeliverPorts,
): DeliveryResult {
  if (result.state !== "parked" && result.state !== "pending") return result;
  const target = tenants.get(duty.tenant)?.targets.get(duty.target);
  const place = target === undefined ? null : placeIn(duty, target, ports);
  return place === null ? result : { ...result, order: place };
}

/** Of a delivery that has its turn and cannot use it now: it is owed at once, or after a pause. */
export const owedAgain = (duty: Duty, dueInMs = 0): DeliveryResult => ({
  ...recorded(duty, "pending", null),
  dueInMs,
});
/** Of one that was not attempted, because of a failure of ours: it keeps its message only if it has no turn. */
export const unmade = (duty: Duty): DeliveryResult | null =>
  duty.place === undefined ? null : owedAgain(duty, ORDER_RETRY_MS);

/** Those of targets with an order have their place from now on: then the oldest stand first, whatever is cut off. */
export function withPlaces(gated: readonly GatedDuty[], ports: DeliverPorts): GatedDuty[] {
  const all = gated.map((each) => {
    const place = placeIn(each.duty, each.outgoing.target, ports);
    return place === null ? each : { ...each, duty: { ...each.duty, place } };
  });
  const isOrdered = !all.every(isFree);
  return isOrdered
    ? all.sort(({ duty: one }, { duty: other }) =>
        compareAge({ ...one, value: null }, { ...other, value: null }),
      )
    : all;
}

export const isFree = ({ duty }: GatedDuty): boolean => duty.place === undefined;

/** What is parked keeps its place. */
export const inPlace = (result: DeliveryResult, { place }: Duty): DeliveryResult =>
  place === undefined ? result : { ...result, order: place };

/** Never rejects: what could not be asked for comes again. */
export async function takeTurns(
  placed: readonly GatedDuty[],
  claimed: Claimed,
  keptOf: KeptOf,
  settle: Settle,
  ports: DeliverPorts,
): Promise<TakenTurns> {
  const asking: GatedDuty[] = [];
  // One moment for all: what is held must not be overtaken by what is younger and judged later.
  const nowMs = ports.clock.nowMs();
  for (const each of placed) {
    const { duty, outgoing } = each;
    const holdMs = outgoing.target.order?.holdMs ?? 0;
    const untilMs = duty.receivedAtMs + holdMs;
    // The clock that received it may be ahead of this one.
    const dueInMs = Math.min(untilMs - nowMs, holdMs);
    if (dueInMs > 0 && duty.place !== undefined) {
      const why = `order: held until ${new Date(untilMs).toISOString()}`;
      const held = { ...recorded(duty, "pending", why), dueInMs, order: duty.place };
      await settle(duty.held, held, false);
    }
    // What the ledger knows of is sent from the archive: nothing is written before its bytes rest there.
    else if (await keptOf(duty.held)) asking.push(each);
  }
  const granted = await ask(asking, claimed.token, ports);
  return {
    ...chains(granted.going),
    claimed: { ...claimed, duties: dutiesAfter(claimed, asking, granted) },
    keys: [...new Set(asking.flatMap(({ duty }) => duty.place?.key ?? []))],
  };
}

/** Of a batch in which nothing is in order. */
export const noTurns = (claimed: Claimed): TakenTurns => ({
  ...{ granted: [], heads: [], claimed, keys: [] },
  behind: () => [],
});

interface Granted {
  readonly going: readonly GatedDuty[];
  /** Null: the ledger did not answer. */
  readonly answered: ReadonlySet<string> | null;
}

async function ask(
  asking: readonly GatedDuty[],
  token: string,
  ports: DeliverPorts,
): Promise<Granted> {
  if (asking.length === 0) return { going: [], answered: new Set() };
  const asks = asking.flatMap(({ duty }) => {
    const { place, held } = duty;
    const { source, type } = held.record;
    return place === undefined ? [] : [{ ...keyedOf(duty), source, type, place }];
  });
  try {
    const turns = await ports.turns();
    const taking = turns.take(token, LEASE_SECONDS, asks);
    const verdicts = await inTime(taking, ports);
    const going = asking.flatMap(({ duty, outgoing }): GatedDuty[] => {
      const isGranted = verdicts.get(keyOf(duty))?.kind === "turn";
      return isGranted ? [{ outgoing, duty: { ...duty, claimedBy: "row" } }] : [];
    });
    return { going, answered: new Set(asking.map(({ duty }) => keyOf(duty))) };
  } catch (error) {
    ports.log.warn("turns-not-taken", { deliveries: asking.length, error: errorText(error) });
    for (const { duty } of asking) tryAgainLater(duty.held.open);
    return { going: [], answered: null };
  }
}

function keyedOf(duty: Duty) {
  const { tenant, receivedAtMs, event, subscription, rule, target, priority, attempts } = duty;
  const { claimedBy } = duty;
  return {
    ...{ tenant, receivedAtMs, event, subscription, rule, target },
    ...{ priority, attempts, claimedBy },
  };
}

/** Not known whether they are written: then they are given back in both ways. */
function dutiesAfter(
  { duties }: Claimed,
  asking: readonly GatedDuty[],
  { going, answered }: Granted,
): Duty[] {
  if (answered === null) {
    return [...duties, ...asking.map(({ duty }): Duty => ({ ...duty, claimedBy: "row" }))];
  }
  const others = duties.filter((duty) => !answered.has(keyOf(duty)));
  return [...others, ...going.map(({ duty }) => duty)];
}

function chains(going: readonly GatedDuty[]): Pick<TakenTurns, "granted" | "heads" | "behind"> {
  const ageOf = ({ duty }: GatedDuty) => ({ ...duty, value: duty.place?.value ?? null });
  const inOrder = going.toSorted((a, b) => compareAge(ageOf(a), ageOf(b)));
  const byKey = [...Map.groupBy(inOrder, ({ duty }) => duty.place?.key).values()];
  const rests = new Map(byKey.flatMap(([head, ...rest]) => (head ? [[head, rest] as const] : [])));
  return { granted: inOrder, heads: [...rests.keys()], behind: (head) => rests.get(head) ?? [] };
}

/** Behind one that has not ended it waits, and says for whom. */
export function behind({ duty }: GatedDuty, before: Duty): DeliveryResult {
  const { place } = duty;
  const parked = recorded(duty, "parked", waitsReason(before.event));
  return place === undefined ? parked : { ...parked, order: { ...place, isWaiting: true } };
}

/** Whether the next of its key may go after this result. */
export function freesItsKey(result: DeliveryResult | null, mode: OrderMode): boolean {
  if (result === null || result.state === "unmatched") return false;
  return isFinal(result.state) || (mode !== "fifo" && result.state === "retrying");
}
