/** What comes of a delivery before any request: whether one is made, and with what. */
import { WAITS_FOR_ITS_BATCH } from "../core/batch/batch.ts";
import { FAN_OUT } from "../core/priority.ts";
import { WAITS_TO_BE_PULLED } from "../core/pull/pull.ts";
import type { Rule, Target, Tenant } from "../core/tenant.ts";
import type { Transformer } from "../core/transform/transformer.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import type { FanOutRule } from "./begin-fan-out.ts";
import { type Outgoing, recorded } from "./deliver.ts";
import type { QueueRole } from "./deliver-batch.ts";
import type { Duty } from "./duty.ts";

/** Of an event that its rule meant to transform. */
export const NO_TRANSFORMER = "its rule has no transformer for this target any more";

export type Decided =
  | { readonly kind: "attempt"; readonly outgoing: Outgoing }
  | { readonly kind: "fan-out"; readonly rule: FanOutRule }
  | { readonly kind: "result"; readonly result: DeliveryResult };

/** No request if the target is gone or closed, or another queue is to send it. */
export function decideDelivery(
  duty: Duty,
  role: QueueRole,
  tenants: ReadonlyMap<string, Tenant | null>,
  cancelledFanOuts: ReadonlySet<string> = new Set(),
): Decided {
  const instead = (state: DeliveryResult["state"], why: string | null): Decided => ({
    kind: "result",
    result: recorded(duty, state, why),
  });
  const attempting = (target: Target, transformer: Transformer | null): Decided => {
    // What it gets is made when it is leased, by the rule as it is then.
    if (target.other?.kind === "pull") return resting(duty, WAITS_TO_BE_PULLED);
    if (target.gate.batch !== undefined) return resting(duty, WAITS_FOR_ITS_BATCH);
    return target.saga !== null && transformer !== null
      ? instead("dead", "a saga takes no transformed event")
      : { kind: "attempt", outgoing: { target, transformer } };
  };
  if (role === "dead") return instead("dead", "the message that carried it crashed too often");
  const tenant = tenants.get(duty.tenant) ?? null;
  if (tenant === null) return instead("cancelled", "tenant deleted");
  if (
    duty.claimedBy === "event" &&
    cancelledFanOuts.has(duty.held.record.elementOf?.fanOut ?? "")
  ) {
    return instead("cancelled", "fan-out cancelled");
  }
  const isPassedOn = duty.claimedBy === "event" && duty.priority !== role;
  if (duty.target === FAN_OUT) {
    if (isPassedOn) return instead("pending", null);
    const rule = tenant.rules.get(duty.rule);
    return isFannedOut(rule)
      ? { kind: "fan-out", rule }
      : instead("dead", "its rule is fanned out over no list any more");
  }
  const target = tenant.targets.get(duty.target);
  if (target === undefined) return instead("cancelled", "target deleted");
  if (target.closed !== null) return instead("parked", `target ${target.closed}`);
  if (duty.replay !== undefined) {
    const rule = tenant.rules.get(duty.rule);
    if (rule?.targets.includes(duty.target) !== true) {
      return instead("cancelled", "its rule does not send to this target any more");
    }
    return attempting(target, rule.transformers.get(duty.target) ?? null);
  }
  if (isPassedOn) return instead("pending", null);
  if (!duty.isTransformed) return attempting(target, null);
  // What a rule meant to leave out is not sent because the rule is another one by now.
  const transformer = tenant.rules.get(duty.rule)?.transformers.get(duty.target);
  return transformer === undefined
    ? instead("dead", NO_TRANSFORMER)
    : attempting(target, transformer);
}

/** Parked with a time, from which on it may be leased: by its reader, or for its batch. */
const resting = (duty: Duty, why: string): Decided => ({
  kind: "result",
  result: { ...recorded(duty, "parked", why), dueInMs: 0 },
});

const isFannedOut = (rule: Rule | undefined): rule is FanOutRule => rule?.forEach !== undefined;

export function unmatchedResult(record: Duty["held"]["record"]): DeliveryResult {
  const { tenant, receivedAtMs, id: event, source, type } = record;
  return {
    ...{ tenant, receivedAtMs, event, source, type, subscription: "", rule: "", target: "" },
    ...{ priority: "bulk", state: "unmatched", attempts: 0, dueInMs: null, lastStatus: null },
    ...{ lastError: "no rule matched", attempt: null, claimedBy: "event" },
  };
}
