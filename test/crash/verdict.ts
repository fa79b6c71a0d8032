/**
 * What became of every webhook, from three witnesses: its sender, the targets, and the router's own ledger.
 * The classes are those of jepsen-io/nats. Pure, so that it can be shown to find what it looks for.
 */

/** What its sender knows of a webhook. */
export interface SentEvent {
  readonly index: number;
  readonly tenant: string;
  readonly bodyHash: string;
  /** Of each 202: the event's id, and the receipt. */
  readonly ids: Set<string>;
  readonly receipts: string[];
  /** Answers other than 202 that are final. */
  readonly refusals: string[];
  requests: number;
}

/** A request that came whole to a target. */
export interface Arrival {
  /** Of the webhook, from its body. */
  readonly index: number;
  readonly event: string;
  readonly target: string;
  readonly webhookId: string;
  readonly bodyHash: string;
  readonly atMs: number;
  /** `cut`: the router was gone before it could be answered. */
  outcome: "answered" | "error" | "throttled" | "hang-up" | "hang" | "cut";
}

export interface Facts {
  readonly sent: readonly SentEvent[];
  readonly arrivals: readonly Arrival[];
  /** State of each delivery, by `deliveryKey`. */
  readonly ledger: ReadonlyMap<string, string>;
  /** Every event goes to all of them. */
  readonly targets: readonly string[];
}

export interface Verdict {
  /** Answered 202 at least once. */
  readonly accepted: number;
  /** Accepted, and delivered to every target as the ledger says. */
  readonly ok: number;
  /** Never heard 202, and delivered all the same. */
  readonly recovered: number;
  /** Never heard 202, and not seen again. */
  readonly unknown: number;
  /** Owed and not delivered, though the ledger says that it will be; one line each. */
  readonly late: readonly string[];
  /** Owed and not delivered, and nobody will; one line each. */
  readonly lost: readonly string[];
  /** Came to a target, and nobody sent it. */
  readonly unexpected: readonly string[];
  /** Damage of another kind: bytes, identity, refusals, a ledger that says what is not so. */
  readonly faults: readonly string[];
  /** When each 2xx came that was beyond the first for one event and target. */
  readonly repeatsMs: readonly number[];
}

/** States from which the router goes on by itself. */
const STILL_OWED: readonly string[] = ["pending", "delivering", "retrying"];

export const deliveryKey = (event: string, target: string): string => `${event} ${target}`;

export function verdictOf({ sent, arrivals, ledger, targets }: Facts): Verdict {
  const counts = { ok: 0, recovered: 0, unknown: 0 };
  const late: string[] = [];
  const lost: string[] = [];
  const faults: string[] = [];
  const repeatsMs: number[] = [];
  const known = new Set(sent.map(({ index }) => index));
  const came = Map.groupBy(arrivals, ({ index }) => index);

  for (const event of sent) {
    const name = `webhook ${event.index} (${[...event.ids].join(", ") || "not accepted"})`;
    const mine = came.get(event.index) ?? [];
    const ids = new Set([...event.ids, ...mine.map((arrival) => arrival.event)]);
    if (ids.size > 1) faults.push(`${name}: has the ids ${[...ids].join(", ")}`);
    if (mine.some(({ bodyHash }) => bodyHash !== event.bodyHash)) {
      faults.push(`${name}: came with other bytes`);
    }
    for (const refusal of event.refusals) faults.push(`${name}: was refused with ${refusal}`);

    const missing: string[] = [];
    let isHopeless = false;
    for (const target of targets) {
      const there = mine.filter((arrival) => arrival.target === target);
      const answered = there.filter(({ outcome }) => outcome === "answered");
      repeatsMs.push(...answered.slice(1).map(({ atMs }) => atMs));
      if (new Set(there.map(({ webhookId }) => webhookId)).size > 1) {
        faults.push(`${name}: its webhook-id changed at ${target}`);
      }
      const states = [...ids].map((id) => ledger.get(deliveryKey(id, target)));
      const state = states.find((each) => each !== undefined) ?? "not in the ledger";
      if (answered.length === 0) missing.push(`${target} never answered 2xx, ledger: ${state}`);
      else if (state !== "delivered") missing.push(`${target} has it, ledger: ${state}`);
      else continue;
      isHopeless ||= !STILL_OWED.includes(state);
    }
    // A trace of it is enough to be owed whole: the router took it, its answer did not arrive.
    const isOwed = event.ids.size > 0 || mine.length > 0;
    if (!isOwed) counts.unknown += 1;
    else if (missing.length > 0) (isHopeless ? lost : late).push(`${name}: ${missing.join("; ")}`);
    else counts[event.ids.size > 0 ? "ok" : "recovered"] += 1;
  }
  const unexpected = arrivals
    .filter(({ index }) => !known.has(index))
    .map(({ event, target }) => `${event} came to ${target}, and nobody sent it`);
  const accepted = sent.filter(({ ids }) => ids.size > 0).length;
  return {
    accepted,
    ...counts,
    late,
    lost,
    unexpected,
    faults: [...faults, ...sharedIds(arrivals)],
    repeatsMs,
  };
}

/** One webhook-id belongs to one delivery. */
function sharedIds(arrivals: readonly Arrival[]): string[] {
  const owners = new Map<string, string>();
  const shared = new Set<string>();
  for (const { webhookId, event, target } of arrivals) {
    const owner = owners.get(webhookId) ?? deliveryKey(event, target);
    owners.set(webhookId, owner);
    if (owner !== deliveryKey(event, target)) shared.add(webhookId);
  }
  return [...shared].map((id) => `webhook-id ${id} stands on several deliveries`);
}
