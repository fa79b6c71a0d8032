/** The events of a batch as CloudEvents, each made whole before anything of it is leased. */
import { type CloudEventData, cloudEventOf } from "../core/deliver/cloudevent.ts";
import { deliveryId } from "../core/ids.ts";
import { isJsonObject, stringifyJson } from "../core/json.ts";
import type { Tenant } from "../core/tenant.ts";
import type { GateId } from "../ports/gates.ts";
import type { Ready } from "../ports/pulls.ts";
import { bodyPath } from "./deliver-to-binding.ts";
import type { ArchivedEvent } from "./event-view.ts";
import { eventsOf, madeFor } from "./made-for.ts";
import type { DeliverPorts } from "./ports.ts";

export interface BatchMessage {
  readonly delivery: Ready;
  /** Of the delivery. */
  readonly id: string;
  /** By which its receiver may name it: the delivery, and the CloudEvent. */
  readonly names: readonly string[];
  /** Its JSON. */
  readonly bytes: Uint8Array;
}

/** In the order of the deliveries; what cannot be made, by why. Rejects when the archive does not answer. */
export async function messagesOf(
  { tenant, target }: GateId,
  deliveries: readonly Ready[],
  rules: Tenant["rules"],
  ports: Pick<DeliverPorts, "archive" | "text">,
): Promise<{
  readonly messages: readonly BatchMessage[];
  readonly unmade: ReadonlyMap<string, readonly Ready[]>;
}> {
  const events = await eventsOf(tenant, deliveries, ports);
  const unmade = new Map<string, Ready[]>();
  const messages = deliveries.flatMap((delivery): BatchMessage[] => {
    const made = madeFor(delivery, events.get(delivery.event) ?? null, target, rules);
    if (!made.ok) {
      unmade.set(made.reason, [...(unmade.get(made.reason) ?? []), delivery]);
      return [];
    }
    const { archived, instead } = made;
    const id = deliveryId(delivery.event, delivery.subscription);
    const content = instead ?? dataOf(archived, { tenant, event: delivery.event });
    const json = messageOf(delivery, id, archived, content);
    const names = [id, archived.record.cloudevent?.id ?? archived.record.id];
    return [{ delivery, id, names, bytes: ports.text.encode(json) }];
  });
  return { messages, unmade };
}

function dataOf({ event }: ArchivedEvent, at: { tenant: string; event: string }): CloudEventData {
  if (!isJsonObject(event) || event.dataOmitted !== undefined) return { dataref: bodyPath(at) };
  return { contentType: "application/json", data: event.data ?? null };
}

function messageOf(
  { rule, replay, attempts, receivedAtMs }: Ready,
  deliveryId: string,
  { record }: ArchivedEvent,
  content: CloudEventData,
): string {
  const receivedAt = new Date(receivedAtMs).toISOString();
  const which = { rule, replay: replay ?? undefined, attempt: attempts + 1 };
  return stringifyJson(cloudEventOf({ record, deliveryId, receivedAt, ...which }, content));
}
