/** An event for a queue or a service that is bound: as one CloudEvent in JSON. */
import { type CloudEventData, cloudEventOf } from "../core/deliver/cloudevent.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { holdsExactNumber, isJsonObject, parseJsonDocument, stringifyJson } from "../core/json.ts";
import { BOUND_MESSAGE_BYTES_MAX } from "../core/limits.ts";
import type { QueueTarget, ServiceTarget } from "../core/tenant.ts";
import type { Duty } from "./duty.ts";
import { eventRead } from "./event-view.ts";
import type { DeliverPorts } from "./ports.ts";

/** What the rule's transformer made of the event. */
export interface Made {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Data that are too many for one message, or have a number that the platform's own values cannot hold, stay here,
 * and the message says where (a claim check). What a transformer made rests nowhere: then it is refused.
 */
export async function deliverToBinding(
  duty: Duty,
  target: QueueTarget | ServiceTarget,
  made: Made | null,
  timeoutMs: number,
  ports: Pick<DeliverPorts, "archive" | "bound" | "clock" | "text">,
): Promise<Answer> {
  const content = await contentOf(duty, made, ports);
  const whole = messageOf(duty, content);
  const fault = faultOf(content, ports.text.encode(whole).length, target.kind);
  if (fault !== null && made !== null) return { kind: "refused", detail: fault };
  const message = fault === null ? whole : messageOf(duty, { dataref: bodyPath(duty) });
  return target.kind === "queue"
    ? ports.bound.enqueue(target.queue, message, timeoutMs)
    : ports.bound.call(target.service, target.method ?? "", message, timeoutMs);
}

/** Why it cannot be sent whole; null when it can. */
function faultOf(content: CloudEventData, bytes: number, kind: string): string | null {
  if (bytes > BOUND_MESSAGE_BYTES_MAX) {
    return `a message of ${bytes} bytes is none for a ${kind}: ${BOUND_MESSAGE_BYTES_MAX} at most`;
  }
  const isExact = !("data" in content) || !holdsExactNumber(content.data);
  return isExact ? null : `a ${kind} gets doubles, and a number here is none`;
}

export const bodyPath = ({ tenant, event }: Pick<Duty, "tenant" | "event">): string =>
  `/admin/tenants/${tenant}/events/${event}/body`;

/** The event's data as rules see them; of an event that is too large for a message, where its bytes are. */
async function contentOf(
  duty: Duty,
  made: Made | null,
  ports: Pick<DeliverPorts, "archive" | "clock" | "text">,
): Promise<CloudEventData> {
  if (made !== null) {
    const { contentType, body } = made;
    const read = contentType === "application/json" ? parseJsonDocument(body) : null;
    return { contentType, data: read?.ok === true ? read.value : body };
  }
  const event = await eventRead(duty.held, BOUND_MESSAGE_BYTES_MAX, ports);
  if (!isJsonObject(event) || event.dataOmitted !== undefined) return { dataref: bodyPath(duty) };
  return { contentType: "application/json", data: event.data ?? null };
}

function messageOf(duty: Duty, content: CloudEventData): string {
  const { record } = duty.held;
  const { id: deliveryId, rule, replay } = duty;
  const receivedAt = new Date(record.receivedAtMs).toISOString();
  const attempt = duty.attempts + 1;
  return stringifyJson(
    cloudEventOf({ record, deliveryId, rule, replay, attempt, receivedAt }, content),
  );
}
