/**
 * Where things lie in the archive. The kind comes first, then the tenant, so that one rule by prefix can
 * expire a kind and one pass can remove a tenant; then the hour, so that a listing is a listing by time:
 *
 *     segments/{tenant}/{hour}/{time-ordered id}      frames of one batch, one after the other
 *     big/{tenant}/{hour}/{event}/{receipt}           one frame too big for a message
 *     poison/{day}/{message}                          what nothing could read
 *
 * The hour is the one in which the events were *received* (UTC, `2026-01-31T23`). So a slice of time
 * needs no slack: its events lie under the hours it touches, however long they waited in a queue. An
 * hour may still gain segments while its events wait. A pointer holds its whole key: what was written
 * under an older layout stays readable.
 */
import { isSlug, timeOrderedId } from "./ids.ts";

/** The kinds that belong to a tenant. */
export const ARCHIVE_KINDS = ["segments", "big"] as const;
export type ArchiveKind = (typeof ARCHIVE_KINDS)[number];

export const POISON_PREFIX = "poison/";

export const HOUR_MS = 3_600_000;

/** From the first moment, up to but not including the second. */
export interface TimeRange {
  readonly fromMs: number;
  readonly untilMs: number;
}

const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999); // later years sort before, with their sign

/** The hour of a moment as keys write it; moments out of this calendar are its first or last. */
export const hourOf = (ms: number): string =>
  new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString().slice(0, 13);

/** All of a tenant's keys of a kind; the slash keeps `acme` apart from `acme-2`. */
export const prefixOf = (kind: ArchiveKind, tenant: string): string => `${kind}/${tenant}/`;

/** Everything of a tenant; nothing for what is no tenant's name, and might be a path. */
export const prefixesOf = (tenant: string): string[] =>
  isSlug(tenant) ? ARCHIVE_KINDS.map((kind) => prefixOf(kind, tenant)) : [];

/** A new segment for events received in one hour; later ones sort after earlier ones. */
export function segmentKey(
  tenant: string,
  receivedAtMs: number,
  nowMs: number,
  random: Uint8Array,
): string {
  return timeOrderedId(`${prefixOf("segments", tenant)}${hourOf(receivedAtMs)}/`, nowMs, random);
}

/** The same for the same receipt, so that a repeated write is harmless. */
export function bigKey(record: {
  readonly tenant: string;
  readonly receivedAtMs: number;
  readonly id: string;
  readonly receipt: string;
}): string {
  const { tenant, receivedAtMs, id, receipt } = record;
  return `${prefixOf("big", tenant)}${hourOf(receivedAtMs)}/${id}/${receipt}`;
}

export const poisonKey = (message: string, nowMs: number): string =>
  `${POISON_PREFIX}${hourOf(nowMs).slice(0, 10)}/${message}`;

/** One path segment that stands for what `poisonKey` made. */
export const poisonId = (key: string): string => key.slice(POISON_PREFIX.length).replace("/", ".");

/** The key behind an id; null for an id that is none. It can only be one of these, whatever it says. */
export function poisonKeyOf(id: string): string | null {
  const [, day, message] = /^(\d{4}-\d\d-\d\d)\.([^/]+)$/.exec(id) ?? [];
  return day === undefined || message === undefined ? null : `${POISON_PREFIX}${day}/${message}`;
}

/** Which keys of a prefix lie in the hours that `range` touches: above `after`, below `before`. */
export function keysWithin(
  kind: ArchiveKind,
  tenant: string,
  { fromMs, untilMs }: TimeRange,
): { readonly prefix: string; readonly after: string; readonly before: string } {
  const prefix = prefixOf(kind, tenant);
  const after = `${prefix}${hourOf(fromMs)}`;
  // "0" follows the slash: everything of the last hour sorts below, nothing of the next does.
  return { prefix, after, before: untilMs > fromMs ? `${prefix}${hourOf(untilMs - 1)}0` : after };
}

/** What puts keys of one hour in the order of time, whatever their kind: the time-ordered part of their last id. */
export const timeOrderOf = (key: string): string =>
  key.slice(key.lastIndexOf("/") + 1).replace(/^rcp_/, "");

/** When the hour of a key, or of a prefix down to its hour, began. */
export const hourStartMs = (key: string): number => Date.parse(`${key.split("/")[2]}:00:00Z`);
