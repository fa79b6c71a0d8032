/** An event for a queue or a service that is bound: as one CloudEvent in JSON. */
import { type CloudEventData, cloudEventOf } from "../core/deliver/cloudevent.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { isJsonObject, parseJsonDocument, stringifyJson } from "../core/json.ts";
import { BOUND_MESSAGE_BYTES_MAX } from "../core/limits.ts";
import type { QueueTarget, ServiceTarget } from "../core/tenant.ts";
import type { Duty } from "./claim.ts";
import { eventIn } from "./event-view.ts";
import type { DeliverPorts } from "./ports.ts";

/** What the rule's transformer made of the event. */
interface Made {
  readonly contentType: string;
  readonly body: string;
}

/**
 * Data that are too many for one message stay here, and the message says where (a claim check). What a transformer
 * made rests nowhere: then it is refused.
 */
export async function deliverToBinding(
  duty: Duty,
  target: QueueTarget | ServiceTarget,
  made: Made | null,
  timeoutMs: number,
  { bound, text }: Pick<DeliverPorts, "bound" | "text">,
): Promise<Answer> {
  const bytesOf = (message: string): number => text.encode(message).length;
  const whole = messageOf(duty, contentOf(duty, made, { text }));
  const bytes = bytesOf(whole);
  const isTooLarge = bytes > BOUND_MESSAGE_BYTES_MAX;
  if (isTooLarge && made !== null) {
    const detail = `a message of ${bytes} bytes is none for a ${target.kind}: ${BOUND_MESSAGE_BYTES_MAX} at most`;
    return { kind: "refused", detail };
  }
  const message = isTooLarge ? messageOf(duty, { dataref: bodyPath(duty) }) : whole;
  return target.kind === "queue"
    ? bound.enqueue(target.queue, message, timeoutMs)
    : bound.call(target.service, target.method ?? "", message, timeoutMs);
}

const bodyPath = ({ tenant, event }: Duty): string =>
  `/admin/tenants/${tenant}/events/${event}/body`;

/** The event's data as rules see them; of an event that is too large to be read, where its bytes are. */
function contentOf(
  duty: Duty,
  made: Made | null,
  ports: Pick<DeliverPorts, "text">,
): CloudEventData {
  if (made !== null) {
    const { contentType, body } = made;
    const read = contentType === "application/json" ? parseJsonDocument(body) : null;
    return { contentType, data: read?.ok === true ? read.value : body };
  }
  const event = eventIn(duty.held, ports);
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
