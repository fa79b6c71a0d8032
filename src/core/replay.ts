/** A replay: what is sent once more, in which order the archive is read, and where each slice begins. */
import { type ArchiveKind, hourStartMs, type TimeRange } from "./archive-keys.ts";
import { REPLAY_DELIVERIES_MAX, REPLAY_RETRY_MS } from "./archive-limits.ts";
import type { EventRecord } from "./enqueue/record.ts";
import { expiryAt } from "./generation.ts";
import type { Json } from "./json.ts";
import { CANCELLED_MS } from "./limits.ts";
import type { Tenant } from "./tenant.ts";

export interface ReplayQuery extends TimeRange {
  /** Null takes every event. */
  readonly pattern: Json;
  readonly source: string | null;
  readonly type: string | null;
  /** Only what this rule sends, and only to this target; null takes all. */
  readonly rule: string | null;
  readonly target: string | null;
  readonly perSecond: number;
  readonly reason: string;
}

/** The last object of each kind that is done, and how many frames are done of the one after it. */
export interface Checkpoint {
  readonly segments: string | null;
  readonly big: string | null;
  readonly inside: { readonly key: string; readonly frames: number } | null;
}

export const START: Checkpoint = { segments: null, big: null, inside: null };

/** Objects of both kinds hour by hour; within one, the segments first. Each list is in order already. */
export function inOrder<Item extends { readonly key: string }>(
  segments: readonly Item[],
  big: readonly Item[],
): (Item & { readonly kind: ArchiveKind })[] {
  const all = [
    ...segments.map((item) => ({ ...item, kind: "segments" as const })),
    ...big.map((item) => ({ ...item, kind: "big" as const })),
  ];
  return all.sort((a, b) => hourStartMs(a.key) - hourStartMs(b.key));
}

/** Frames of an object that an earlier slice has done. */
export const framesDone = ({ inside }: Checkpoint, key: string): number =>
  inside?.key === key ? inside.frames : 0;

/** After `frames` of the object's `total` frames. */
export const passed = (
  checkpoint: Checkpoint,
  { kind, key }: { readonly kind: ArchiveKind; readonly key: string },
  frames: number,
  total: number,
): Checkpoint =>
  frames < total
    ? { ...checkpoint, inside: { key, frames } }
    : { ...checkpoint, [kind]: key, inside: null };

/** What the query says of an event before its pattern is asked. */
export const isSelected = (query: ReplayQuery, record: EventRecord): boolean =>
  record.receivedAtMs >= query.fromMs &&
  record.receivedAtMs < query.untilMs &&
  (query.source === null || record.source === query.source) &&
  (query.type === null || record.type === query.type);

/**
 * The rules and targets that get an event now: of enabled rules, none of them a shadow. A list is not fanned out
 * once more: its elements are archived, each is an event of its own and goes to the targets of its rule again.
 */
export function subscriptionsNow(
  tenant: Pick<Tenant, "rules" | "ruleSet">,
  query: Pick<ReplayQuery, "rule" | "target">,
  { elementOf }: Pick<EventRecord, "elementOf">,
  event: Json,
): { readonly rule: string; readonly target: string }[] {
  const rules = elementOf === undefined ? tenant.ruleSet.match(event) : [elementOf.rule];
  return rules
    .filter((id) => query.rule === null || id === query.rule)
    .flatMap((id) => {
      const rule = tenant.rules.get(id);
      const isMeant = (rule?.forEach !== undefined) === (elementOf !== undefined);
      if (rule === undefined || rule.isDisabled || !isMeant) return [];
      return rule.targets.map((target) => ({ rule: id, target }));
    })
    .filter(({ target }) => query.target === null || target === query.target);
}

/** Deliveries of one slice, more only where a single event has more: about a second of its pace. */
export const sliceMax = (perSecond: number): number =>
  Math.max(1, Math.min(REPLAY_DELIVERIES_MAX, Math.floor(perSecond)));

/** How long after a slice of so many deliveries the next one may follow. */
export const pauseMs = (deliveries: number, perSecond: number): number =>
  Math.ceil((deliveries * 1_000) / perSecond);

/** How long until what was cancelled is given up once more; null when no consumer has any of it in hand. */
export const cancelledAgainMs = (cancelledForMs: number): number | null =>
  cancelledForMs < CANCELLED_MS ? REPLAY_RETRY_MS : null;

/**
 * A big body is archived before its queue has it, others after the ledger has them. While it is too young to have
 * lost its row by age and has none, it waits in its queue, or was never accepted.
 */
export const mayBeQueued = (key: string, receivedAtMs: number, nowMs: number): boolean =>
  key.startsWith("big/") && receivedAtMs >= expiryAt(nowMs).keepFromMs;
