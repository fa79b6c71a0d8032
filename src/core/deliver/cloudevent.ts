/** An event as a CloudEvent, for those who get it over HTTP, and whole in JSON for those who get it otherwise. */
import type { EventRecord } from "../enqueue/record.ts";
import type { Json } from "../json.ts";

/**
 * An event that came as a CloudEvent keeps its own attributes, because source and id together are its identity
 * (CloudEvents 1.0 §3.1.1). What its data are is said beside them.
 */
export function attributesOf(record: EventRecord, receivedAt: string): Record<string, string> {
  const own = record.cloudevent;
  if (own !== undefined) {
    const { datacontenttype: _, ...attributes } = own;
    return { time: receivedAt, ...attributes };
  }
  return {
    specversion: "1.0",
    id: record.id,
    source: `/${record.tenant}/${record.source}`,
    type: record.type,
    time: record.time ?? receivedAt,
    ...(record.subject === null ? {} : { subject: record.subject }),
  };
}

export interface CloudEventInput {
  readonly record: EventRecord;
  readonly deliveryId: string;
  readonly rule: string;
  readonly replay: string | undefined;
  /** 1 for the first. */
  readonly attempt: number;
  readonly receivedAt: string;
}

/** What it carries, or where that can be fetched (the extension `dataref`, a claim check). */
export type CloudEventData =
  | { readonly contentType: string; readonly data: Json }
  | { readonly dataref: string };

/** Structured mode: one JSON object, with what says which delivery it is as extensions. */
export function cloudEventOf(input: CloudEventInput, content: CloudEventData): Json {
  const { record, replay } = input;
  return {
    ...attributesOf(record, input.receivedAt),
    signalboxevent: record.id,
    signalboxdelivery: input.deliveryId,
    signalboxrule: input.rule,
    signalboxattempt: input.attempt,
    ...(replay === undefined ? {} : { signalboxreplay: replay }),
    traceparent: record.traceparent,
    ...("dataref" in content
      ? { dataref: content.dataref }
      : { datacontenttype: content.contentType, data: content.data }),
  };
}
