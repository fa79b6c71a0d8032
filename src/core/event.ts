/** An event as patterns see it, made from its record and its data; the same at ingest and years later. */
import type { EventRecord } from "./enqueue/record.ts";
import { eventHeaders } from "./ingest/headers.ts";
import type { Json } from "./json.ts";

export function eventOf(
  record: EventRecord,
  read: { readonly data: Json; readonly omitted?: "too-large" },
): Json {
  const receivedAt = new Date(record.receivedAtMs).toISOString();
  return {
    id: record.id,
    tenant: record.tenant,
    source: record.source,
    type: record.type,
    subject: record.subject,
    time: record.time ?? receivedAt,
    receivedAt,
    headers: eventHeaders(record.headers, record.verification.header ?? null),
    data: read.data,
    ...(record.cloudevent === undefined ? {} : { cloudevent: record.cloudevent }),
    ...(record.elementOf === undefined ? {} : { elementOf: { ...record.elementOf } }),
    ...(read.omitted === undefined ? {} : { dataOmitted: read.omitted }),
  };
}
