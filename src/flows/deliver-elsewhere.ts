/** A delivery to what is not called over HTTP: a saga, the tenant's own rules, a queue, a method of a service. */
import type { Answer } from "../core/deliver/outcome.ts";
import { assert } from "../core/errors.ts";
import type { Target } from "../core/tenant.ts";
import { deliverAsEvent } from "./deliver-as-event.ts";
import { deliverToBinding, type Made } from "./deliver-to-binding.ts";
import { deliverToSaga } from "./deliver-to-saga.ts";
import type { Duty } from "./duty.ts";
import type { DeliverPorts } from "./ports.ts";

/** `made` of the event by the rule's transformer; null without one. Rejects when a store does not answer. */
export async function deliverElsewhere(
  duty: Duty,
  { id, saga, other, timeoutMs }: Target,
  made: Made | null,
  ports: DeliverPorts,
): Promise<Answer> {
  if (saga !== null) return deliverToSaga(duty.held, saga, ports);
  if (other?.kind === "event") return deliverAsEvent(duty, other, made, ports);
  assert(other?.kind === "queue" || other?.kind === "service", `${id} is called over HTTP`);
  return deliverToBinding(duty, other, made, timeoutMs, ports);
}
