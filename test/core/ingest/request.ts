/** Makes requests as a Worker would see them and reads their events. */
import {
  type DraftEvent,
  type EventSource,
  namesInBody,
  type Reading,
  type ReceivedRequest,
  readEvents,
} from "../../../src/core/ingest/events.ts";
import { compileRules } from "../../../src/core/pattern/index.ts";
import { nodeCrypto, nodeText } from "../../support/node-crypto.ts";

export const tools = { crypto: nodeCrypto, text: nodeText };
export const NONE: EventSource = { scheme: "none" };

type HeaderList = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

export function requestOf(headers: HeaderList, body: string | Uint8Array): ReceivedRequest {
  const pairs = Array.isArray(headers)
    ? (headers as readonly (readonly [string, string])[])
    : Object.entries(headers);
  return {
    header: (name) => pairs.find(([each]) => each.toLowerCase() === name)?.[1] ?? null,
    headers: pairs,
    body: typeof body === "string" ? nodeText.encode(body) : body,
  };
}

export function readingOf(
  headers: HeaderList,
  body: string | Uint8Array,
  source: EventSource = NONE,
): Reading {
  return readEvents(requestOf(headers, body), source, tools);
}

export function eventsOf(
  headers: HeaderList,
  body: string | Uint8Array,
  source: EventSource = NONE,
): readonly DraftEvent[] {
  const reading = readingOf(headers, body, source);
  if (!reading.ok) throw new Error(`refused: ${reading.detail} ${JSON.stringify(reading.errors)}`);
  return reading.events;
}

/** The one event of a request that carries one. */
export function eventOf(
  headers: HeaderList,
  body: string | Uint8Array,
  source: EventSource = NONE,
): DraftEvent {
  const [event, ...others] = eventsOf(headers, body, source);
  if (event === undefined || others.length > 0) throw new Error("not one event");
  return event;
}

/** The same, read no further than the source itself and rules that look nowhere do. */
export function namedEventOf(
  headers: HeaderList,
  body: string | Uint8Array,
  source: EventSource = NONE,
): DraftEvent {
  const names = namesInBody(compileRules([]).names, source);
  const reading = readEvents(requestOf(headers, body), source, tools, names);
  const [event] = reading.ok ? reading.events : [];
  if (event === undefined) throw new Error("refused");
  return event;
}

/** Where and what the faults of a refused CloudEvent are; empty when it is accepted. */
export function faultsOf(
  headers: HeaderList,
  body: string | Uint8Array,
): readonly (readonly [pointer: string, code: string])[] {
  const reading = readingOf(headers, body);
  if (reading.ok) return [];
  if (reading.problem !== "cloudevent-invalid") throw new Error(reading.problem);
  return (reading.errors ?? []).map(({ pointer, code }) => [pointer, code]);
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
