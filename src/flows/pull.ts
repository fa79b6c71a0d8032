/** A reader takes what waits for it: leased for a time, the most urgent and oldest first. */
import { timeOrderedId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { PULL_BYTES_MAX, PULL_POLL_MS } from "../core/pull/limits.ts";
import { isSpent, leaseId, spentReason } from "../core/pull/pull.ts";
import type { Tenant } from "../core/tenant.ts";
import { keyOf } from "../ports/claim.ts";
import type { GateId } from "../ports/gates.ts";
import { errorText } from "../ports/log.ts";
import { NO_LEASE, type Pulls, type Ready } from "../ports/pulls.ts";
import type { ArchivedEvent } from "./event-view.ts";
import { eventsOf, madeFor } from "./made-for.ts";
import type { DeliverPorts } from "./ports.ts";

export type PullPorts = Pick<
  DeliverPorts,
  "archive" | "clock" | "directory" | "log" | "pulls" | "random" | "text"
>;

export interface PullRequest {
  readonly id: GateId;
  readonly max: number;
  /** Null: as long as its target says. */
  readonly leaseMs: number | null;
  /** How long it waits for something to come. */
  readonly waitMs: number;
}

export interface PulledItem {
  readonly lease: string;
  readonly leasedUntilMs: number;
  readonly delivery: Ready;
  /** 1 for the first. */
  readonly attempt: number;
  /** The event as rules saw it, or what the rule's transformer makes of it. */
  readonly content: Json;
}

/** Rounds in which others took what was found, or it was given up. */
const ROUNDS_MAX = 5;

/** In one look. */
type Round = "nothing" | "closed" | { readonly items: PulledItem[] };

/**
 * Empty when nothing came in time; null when its target is closed, gone, or of another kind, which ends a wait at the
 * next look. Rejects when a store does not answer: what was leased is given back.
 */
export async function pull(request: PullRequest, ports: PullPorts): Promise<PulledItem[] | null> {
  const pulls = await ports.pulls();
  const untilMs = ports.clock.nowMs() + request.waitMs;
  for (;;) {
    for (let count = 0; count < ROUNDS_MAX; count += 1) {
      const round = await pullOnce(request, pulls, ports);
      if (round === "closed") return null;
      if (round === "nothing") break;
      if (round.items.length > 0) return round.items;
    }
    const leftMs = untilMs - ports.clock.nowMs();
    if (leftMs <= 0) return [];
    await ports.clock.timer(Math.min(leftMs, PULL_POLL_MS)).elapsed;
  }
}

/** By its target and the rules as they are now, however long it has waited. */
async function pullOnce(request: PullRequest, pulls: Pulls, ports: PullPorts): Promise<Round> {
  const { id, max } = request;
  const { revision, ready: found } = await pulls.look(id, max);
  const tenant = revision === null ? null : await ports.directory.at(id.tenant, revision);
  const { other: target, closed } = tenant?.targets.get(id.target) ?? {};
  if (!tenant || target?.kind !== "pull" || closed !== null) return "closed";
  if (found.length === 0) return "nothing";
  const spent = found.filter((each) => isSpent(each, target));
  if (spent.length > 0) await pulls.bury(spent, NO_LEASE, spentReason(target));
  const wanted = withinBytes(found.filter((each) => !isSpent(each, target)));
  if (wanted.length === 0) return { items: [] };
  const leaseMs = request.leaseMs ?? target.leaseMs;
  const leasedAtMs = ports.clock.nowMs();
  const token = timeOrderedId("", leasedAtMs, ports.random.bytes(10));
  try {
    const leased = await pulls.lease(wanted, token, leaseMs);
    const own = wanted.filter((each) => leased.has(keyOf(each)));
    const events = await eventsOf(id.tenant, own, ports);
    const items: PulledItem[] = [];
    const unmade = new Map<string, Ready[]>();
    for (const delivery of own) {
      const made = contentOf(delivery, events.get(delivery.event) ?? null, id, tenant);
      if (!made.ok) unmade.set(made.reason, [...(unmade.get(made.reason) ?? []), delivery]);
      else {
        items.push({
          lease: leaseId({ ...delivery, token, leasedAtMs }),
          leasedUntilMs: leasedAtMs + leaseMs,
          ...{ delivery, attempt: delivery.attempts + 1, content: made.content },
        });
      }
    }
    for (const [reason, some] of unmade) await pulls.bury(some, token, reason);
    return { items };
  } catch (error) {
    // Also what may have been leased by a call that said nothing of it.
    const all = wanted.map((each) => ({ ...each, token, leasedAtMs }));
    await pulls.giveBack(all).catch((failure: unknown) => {
      // They come back when their lease ends.
      ports.log.warn("leases-not-given-back", { tenant: id.tenant, error: errorText(failure) });
    });
    throw error;
  }
}

/** As many as fit, one at least: the others wait for the next pull. */
function withinBytes(found: readonly Ready[]): Ready[] {
  let bytes = 0;
  return found.filter(({ pointer }, at) => {
    bytes += pointer.length;
    return at === 0 || bytes <= PULL_BYTES_MAX;
  });
}

type Content =
  | { readonly ok: true; readonly content: Json }
  | { readonly ok: false; readonly reason: string };

function contentOf(
  delivery: Ready,
  archived: ArchivedEvent | null,
  { target }: GateId,
  { rules }: Tenant,
): Content {
  const made = madeFor(delivery, archived, target, rules);
  if (!made.ok) return made;
  return { ok: true, content: made.instead === null ? made.archived.event : made.instead.data };
}
