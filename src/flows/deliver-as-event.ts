/** An event for a target of kind event: it becomes a new one, which meets the tenant's rules. */
import type { Answer } from "../core/deliver/outcome.ts";
import { isJsonObject, stringifyJson } from "../core/json.ts";
import { ATTEMPT_TIMEOUT_MS_DEFAULT } from "../core/limits.ts";
import type { EventTarget } from "../core/tenant.ts";
import { within } from "../ports/clock.ts";
import type { Made } from "./deliver-to-binding.ts";
import type { Duty } from "./duty.ts";
import { eventIn } from "./event-view.ts";
import type { DeliverPorts } from "./ports.ts";

/**
 * Its data is what the rule's transformer made, or the event's own as rules see it. Its id follows from the
 * delivery's: however often the delivery is attempted, it is one event. What comes of a replay is bulk, like all that
 * a demoted event leads to. Rejects when a store does not take it now.
 */
export async function deliverAsEvent(
  duty: Duty,
  { source, type }: EventTarget,
  made: Made | null,
  ports: DeliverPorts,
): Promise<Answer> {
  const { record } = duty.held;
  const event = eventIn(duty.held, ports);
  if (made === null && isJsonObject(event) && event.dataOmitted !== undefined) {
    const detail =
      "its data is too large to be read, and so to be published; a transformer can leave it out";
    return { kind: "refused", detail };
  }
  const data = isJsonObject(event) ? event.data : undefined;
  const publishing = ports.publisher.publish({
    ...{ tenant: duty.tenant, source, type: type ?? record.type, subject: record.subject },
    data: made?.body ?? stringifyJson(data ?? null),
    ...(made === null ? {} : { contentType: made.contentType }),
    ...{ key: duty.id, hops: (record.hops ?? 0) + 1 },
    origin: {
      ...{ delivery: duty.id, traceparent: record.traceparent },
      isDemoted: record.demoted === true || duty.replay !== undefined,
    },
  });
  // One that is durable after all is the same event when it is published again.
  return within(publishing, ATTEMPT_TIMEOUT_MS_DEFAULT, ports.clock, late).catch(
    (error: unknown): Answer => {
      if (error instanceof Late) return { kind: "timeout" };
      throw error;
    },
  );
}

class Late extends Error {}
const late = () => new Late("the event was not durable in time");
