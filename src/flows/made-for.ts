/** What a target gets of deliveries that rested: their events as they were archived, by the rules of now. */
import { type Json, parseJsonDocument } from "../core/json.ts";
import type { Tenant } from "../core/tenant.ts";
import { transform } from "../core/transform/transformer.ts";
import type { Ready } from "../ports/pulls.ts";
import { NO_TRANSFORMER } from "./decide-delivery.ts";
import type { ArchivedEvent } from "./event-view.ts";
import { type ReadPorts, readEvents } from "./read-events.ts";

/** By event, each read once. */
export async function eventsOf(
  tenant: string,
  own: readonly Ready[],
  ports: ReadPorts,
): Promise<ReadonlyMap<string, ArchivedEvent | null>> {
  const placed = [...new Map(own.map(({ event: id, pointer }) => [id, { id, pointer }])).values()];
  const { events } = await readEvents(tenant, placed, ports);
  return new Map(placed.map(({ id }, at) => [id, events[at] ?? null]));
}

type Made =
  | {
      readonly ok: true;
      readonly archived: ArchivedEvent;
      /** What the rule's transformer made; null: the event as rules saw it. */
      readonly instead: { readonly contentType: string; readonly data: Json } | null;
    }
  | { readonly ok: false; readonly reason: string };

export function madeFor(
  { rule, replay }: Pick<Ready, "rule" | "replay">,
  archived: ArchivedEvent | null,
  target: string,
  rules: Tenant["rules"],
): Made {
  if (archived === null) return { ok: false, reason: "its event's bytes are not kept any more" };
  const { record, event } = archived;
  const transformer = rules.get(rule)?.transformers.get(target);
  const isTransformed = record.subscriptions.some(
    (each) => each.rule === rule && each.target === target && each.transformed === true,
  );
  if (replay === null && !isTransformed) return { ok: true, archived, instead: null };
  if (transformer === undefined) {
    // What a rule meant to leave out is not shown because the rule is another one by now.
    return isTransformed
      ? { ok: false, reason: NO_TRANSFORMER }
      : { ok: true, archived, instead: null };
  }
  const made = transform(transformer, event);
  if (!made.ok) return { ok: false, reason: `not transformed: ${made.reason}` };
  const { contentType, body } = made;
  const read = contentType === "application/json" ? parseJsonDocument(body) : null;
  const data = read?.ok === true ? read.value : body;
  return { ok: true, archived, instead: { contentType, data } };
}
