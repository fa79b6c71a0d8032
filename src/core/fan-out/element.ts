/**
 * The event that an element of a list becomes. Everything in it is derived, so that a page that is sent twice is
 * the same events, of the same receipts, twice: whoever claims the second finds what is done.
 */
import type { Crypto, Text } from "../crypto.ts";
import type { EventRecord } from "../enqueue/record.ts";
import { base32, timeOrderedId } from "../ids.ts";
import type { Priority, Subscription } from "../priority.ts";
import { traceparentOf } from "../trace.ts";

/** Which element of which list an event is. */
export interface ElementOf {
  readonly fanOut: string;
  /** The event that had the list, and the rule that asked for its elements. */
  readonly event: string;
  readonly rule: string;
  /** From 0 on. */
  readonly index: number;
  readonly count: number;
}

/** What every element of a fan-out has in common. */
export interface FanOutPlan {
  readonly id: string;
  readonly event: string;
  readonly rule: string;
  /** When the fan-out began, and so when its elements were received: their rows stand side by side. */
  readonly createdAtMs: number;
  readonly priority: Priority;
  readonly subscriptions: readonly Subscription[];
  readonly total: number;
}

interface Tools {
  readonly crypto: Crypto;
  readonly text: Text;
}

const hash = ({ crypto, text }: Tools, ...parts: readonly (string | number)[]): Uint8Array =>
  crypto.sha256(text.encode(parts.join(" ")));

/** `fan_`, sorted by the time of its event: the same event and rule are the same fan-out. */
export function fanOutId(
  { id: event, receivedAtMs }: Pick<EventRecord, "id" | "receivedAtMs">,
  rule: string,
  tools: Tools,
): string {
  return timeOrderedId("fan_", receivedAtMs, hash(tools, "fan-out", event, rule).subarray(0, 10));
}

const PREFIX_LENGTH = 20;
const INDEX_LENGTH = 6;

/**
 * `evt_`, 100 bits that all elements of a fan-out share, then the index: they are in order in every table whose
 * key has the event in it, and a range of them is counted without an index of its own.
 */
export function elementId(fanOut: string, index: number, tools: Tools): string {
  return prefixOf(fanOut, tools) + indexText(index);
}

/** Ids from the first one on and before the last one are elements of these indexes and nothing else. */
export function elementRange(
  fanOut: string,
  from: number,
  until: number,
  tools: Tools,
): readonly [string, string] {
  const prefix = prefixOf(fanOut, tools);
  return [prefix + indexText(from), prefix + indexText(until)];
}

const prefixOf = (fanOut: string, tools: Tools): string =>
  `evt_${base32(hash(tools, "elements", fanOut).subarray(0, 13)).slice(0, PREFIX_LENGTH)}`;

function indexText(index: number): string {
  // Six characters have 30 bits, the upper ones of four bytes.
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, index * 4);
  return base32(bytes).slice(0, INDEX_LENGTH);
}

const CONTENT_TYPE = "application/json";

export function elementRecord(
  parent: EventRecord,
  plan: FanOutPlan,
  index: number,
  tools: Tools,
): EventRecord {
  const { cloudevent, parent: published, ...kept } = parent;
  const { id: fanOut, event, rule, createdAtMs, priority, subscriptions, total } = plan;
  const id = elementId(fanOut, index, tools);
  const derived = hash(tools, "element", id, createdAtMs);
  return {
    ...kept,
    id,
    receipt: timeOrderedId("rcp_", createdAtMs, derived.subarray(0, 10)),
    receivedAtMs: createdAtMs,
    contentType: CONTENT_TYPE,
    // The list's speak of it alone: its proof, its digest, its idempotency key, under which all would be one.
    headers: [],
    key: `${event}/${rule}/${index}`,
    keyFrom: "fan-out",
    verification: { scheme: "none", secretIndex: null },
    priority,
    subscriptions,
    traceparent: traceparentOf(parent.traceparent, derived.subarray(0, 24)),
    elementOf: { fanOut, event, rule, index, count: total },
    // Source and id are a CloudEvent's identity (CloudEvents 1.0 §3.1.1), and this is another event.
    ...(cloudevent === undefined ? {} : { cloudevent: { ...cloudevent, id } }),
  };
}
