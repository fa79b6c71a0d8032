/** Events that were accepted, written down without a webhook. */
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { encodePack, type PackItem } from "../../src/core/enqueue/pack.ts";
import { type EventRecord, encodeFrame, type Frame } from "../../src/core/enqueue/record.ts";
import { eventId } from "../../src/core/ids.ts";
import { mostUrgent, type Priority, type Subscription } from "../../src/core/priority.ts";

export interface RecordSketch extends Partial<EventRecord> {
  /** Targets of the rule `orders`, or subscriptions whole. */
  readonly to?: readonly (string | Subscription)[];
}

export const boundTo = (target: string, priority: Priority = "normal"): Subscription => ({
  rule: "orders",
  target,
  priority,
});

/** An event of the tenant `acme`; its id follows from its key, as always. */
export function recordOf({ to = [], ...sketch }: RecordSketch = {}): EventRecord {
  const subscriptions = to.map((each) => (typeof each === "string" ? boundTo(each) : each));
  const { tenant = "acme", source = "shop", key = "key-1" } = sketch;
  return {
    id: eventId({ tenant, source, key }, platformCrypto, platformText),
    receipt: "rcp_1",
    tenant,
    source,
    type: "order.created",
    subject: null,
    time: null,
    receivedAtMs: Date.UTC(2026, 0, 1),
    contentType: "application/json",
    headers: [],
    key,
    keyFrom: "header:x-key",
    verification: { scheme: "none", secretIndex: null },
    priority: mostUrgent(subscriptions.map(({ priority }) => priority)),
    subscriptions,
    revision: 1,
    traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
    ...sketch,
  };
}

export function frameOf(sketch: RecordSketch = {}, body: string | Uint8Array = "{}"): Frame {
  const bytes = typeof body === "string" ? platformText.encode(body) : body;
  return encodeFrame(recordOf(sketch), bytes, platformText);
}

/** A message's body with these items. */
export const packOf = (...items: readonly PackItem[]): Uint8Array =>
  encodePack({ origin: null, items }, platformText);
