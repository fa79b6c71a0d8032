/** The order that a target asks for: which deliveries share a key, and which of two of them is the newer. */
import type { Crypto, Text } from "../crypto.ts";
import { base32 } from "../ids.ts";
import { ExactNumber, type Json, type Path, parsePath, valueAt } from "../json.ts";
import type { Fault } from "../problem.ts";
import { rankOf } from "./rank.ts";

/**
 * `fifo`: one after the other, the oldest first. `latest-wins`: of those that wait the newest alone.
 * `drop-older`: none behind a newer one that has begun.
 */
export const ORDER_MODES = ["fifo", "latest-wins", "drop-older"] as const;
export type OrderMode = (typeof ORDER_MODES)[number];

export interface OrderDoc {
  /** JSON path into the event as rules see it. */
  readonly key: string;
  readonly mode: OrderMode;
  /** Where the event says how new it is; its time of receipt, if this is left out. */
  readonly by?: string | undefined;
  /** How long a delivery waits for older ones that are still on their way. */
  readonly holdSeconds?: number | undefined;
}

export interface Order {
  readonly mode: OrderMode;
  readonly key: Path;
  readonly by: Path;
  /** Part of every key, so that ages by one path are not compared with ages by another. */
  readonly scale: string;
  readonly holdMs: number;
}

/** Where a delivery stands among those of its target. */
export interface Place {
  readonly mode: OrderMode;
  /** Names target and value in a few characters, which sort at random. */
  readonly key: string;
  /** A text that sorts as what it was made of; null where only the time of receipt counts. */
  readonly value: string | null;
}

const BY_RECEIPT: Path = ["receivedAt"];
/** 100 bits: no two of a tenant's keys are ever the same. */
const KEY_CHARACTERS = 20;

/** What is wrong with it; the schema has seen its shape. */
export function orderFaults({ key, by, mode }: OrderDoc): Fault[] {
  const badPath = (name: string, written: string): Fault[] =>
    (parsePath(written)?.length ?? 0) > 0
      ? []
      : [
          {
            pointer: `/order/${name}`,
            code: "bad-path",
            detail: `"${written}" is no path into the event; write "$.data.orderId".`,
          },
        ];
  const unused =
    mode === "fifo" && by !== undefined
      ? [
          {
            pointer: "/order/by",
            code: "not-used",
            detail: 'With "fifo" the time of receipt counts: leave "by" out.',
          },
        ]
      : [];
  return [...badPath("key", key), ...(by === undefined ? [] : badPath("by", by)), ...unused];
}

/** Of one without faults. */
export const compileOrder = ({ key, by, mode, holdSeconds = 0 }: OrderDoc): Order => ({
  mode,
  key: parsePath(key) ?? [],
  by: by === undefined ? BY_RECEIPT : (parsePath(by) ?? []),
  scale: by === undefined || mode === "fifo" ? "" : JSON.stringify(parsePath(by)),
  holdMs: Number(holdSeconds) * 1_000,
});

/** Null for an event that has no key, or does not say how new it is: it goes unordered. */
export function placeOf(
  { mode, key, by, scale }: Order,
  at: { readonly tenant: string; readonly target: string },
  event: Json,
  crypto: Crypto,
  text: Text,
): Place | null {
  const named = nameOf(valueAt(event, key));
  const value = mode === "fifo" ? null : rankOf(valueAt(event, by));
  if (named === null || (mode !== "fifo" && value === null)) return null;
  const hash = crypto.sha256(text.encode(`${at.tenant}/${at.target}/${scale}${named}`));
  return { mode, key: base32(hash).slice(0, KEY_CHARACTERS), value };
}

/** `1` and `1.0` are one key, `1` and `"1"` are two. */
function nameOf(value: Json | undefined): string | null {
  if (typeof value === "string") return `text:${value}`;
  if (typeof value === "boolean") return `${value}`;
  const isNumber = typeof value === "number" || value instanceof ExactNumber;
  return isNumber ? rankOf(value) : null;
}
