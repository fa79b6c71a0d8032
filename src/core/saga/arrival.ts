/** What an event means to a saga: whether it starts an instance, and which ones it belongs to. */
import { type Json, parsePath, stringifyJson, valueAt } from "../json.ts";
import { matchesPattern } from "../pattern/index.ts";
import { compileSaga, type Saga, type SagaDoc } from "./definition.ts";

const compiled = new WeakMap<SagaDoc, Saga>();

function sagaOf(doc: SagaDoc): Saga {
  const known = compiled.get(doc) ?? compileSaga(doc);
  compiled.set(doc, known);
  return known;
}

/** The text or number at a reference of an event; undefined when there is none. */
function textAt(event: Json, reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined;
  const value = valueAt(event, parsePath(reference) ?? []);
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : stringifyJson(value);
}

/** By which key and correlation id an event or an input starts an instance. */
export const startOf = (
  { key, correlation }: SagaDoc,
  input: Json,
): { readonly key: string | undefined; readonly correlationId: string | null } => ({
  key: textAt(input, key),
  correlationId: textAt(input, correlation) ?? null,
});

/** The correlation ids of the waits that the event is for; null when no step waits for such a one. */
export function correlationsOf(doc: SagaDoc, event: Json): string[] | null {
  const found = new Set<string>();
  let isWaitedFor = false;
  for (const step of sagaOf(doc).steps) {
    if (step.kind !== "wait" || !matchesPattern(step.event, event)) continue;
    isWaitedFor = true;
    const id = textAt(event, step.correlation ?? doc.correlation);
    if (id !== undefined) found.add(id);
  }
  return isWaitedFor ? [...found] : null;
}
