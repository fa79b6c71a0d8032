/**
 * A delivery that is a fan-out: the list is found, counted and checked whole, then written down as a job that
 * sends its elements. Of a list of which not all can be sent nothing is.
 */
import { mapWithin } from "../core/deliver/schedule.ts";
import { bodyOf } from "../core/enqueue/record.ts";
import { Retryable } from "../core/errors.ts";
import { fanOutId } from "../core/fan-out/element.ts";
import { createListFinder, type FoundList } from "../core/fan-out/find.ts";
import { type ForEach, pathInBody } from "../core/fan-out/for-each.ts";
import { FANOUT_BEGUN_MAX, FANOUT_FIND_TIMEOUT_MS } from "../core/fan-out/limits.ts";
import { CONNECTIONS_MAX } from "../core/limits.ts";
import { type Priority, subscriptionsTo } from "../core/priority.ts";
import type { Rule } from "../core/tenant.ts";
import { within } from "../ports/clock.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { errorText } from "../ports/log.ts";
import { archivedBody } from "./archived-body.ts";
import { recorded } from "./deliver.ts";
import type { Duty } from "./duty.ts";
import type { KeptOf } from "./keep-segments.ts";
import {
  GIVEN_BACK_RETRY_SECONDS,
  type HeldEvent,
  retryLater,
  tryAgainLater,
} from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";
import { setOffFanOut } from "./wake.ts";

export type FanOutRule = Rule & { readonly forEach: ForEach };

export interface ListDuty {
  readonly duty: Duty;
  readonly rule: FanOutRule;
}

/** Begins the fan-outs of a batch, a few at a time; its messages come again for those that it has no time for. */
export async function beginFanOuts(
  lists: readonly ListDuty[],
  deadlineMs: number,
  keptOf: KeptOf,
  settle: (held: HeldEvent, result: DeliveryResult, last: boolean) => Promise<void>,
  ports: DeliverPorts,
): Promise<void> {
  for (const { duty } of lists.slice(FANOUT_BEGUN_MAX)) {
    retryLater(duty.held.open, GIVEN_BACK_RETRY_SECONDS);
  }
  await mapWithin(
    lists.slice(0, FANOUT_BEGUN_MAX),
    { total: CONNECTIONS_MAX, perKey: CONNECTIONS_MAX },
    () => "archive",
    async (list) => {
      const { held } = list.duty;
      if (ports.clock.nowMs() + FANOUT_FIND_TIMEOUT_MS > deadlineMs) {
        return retryLater(held.open, GIVEN_BACK_RETRY_SECONDS);
      }
      // Its pages are read from the archive; where the bytes do not rest, the message comes again.
      if (!(await keptOf(held))) return;
      const result = await begin(list, ports);
      if (result === null) tryAgainLater(held.open);
      else await settle(held, result, false);
    },
  );
}

/** Null when a failure of ours came between, which is no attempt. Never rejects. */
async function begin(
  { duty, rule }: ListDuty,
  ports: DeliverPorts,
): Promise<DeliveryResult | null> {
  const startedAtMs = ports.clock.nowMs();
  const { record } = duty.held;
  const at = { tenant: duty.tenant, id: fanOutId(record, duty.rule, ports) };
  let found: FoundList;
  try {
    const late = () => new Retryable("the list was not read in time");
    found = await within(find(duty.held, rule, ports), FANOUT_FIND_TIMEOUT_MS, ports.clock, late);
    if (found.ok) {
      const { total, offset } = found;
      // By the rule as it is now, at the priority at which its event came.
      const priority = duty.priority as Priority;
      await ports.fanOuts.create({
        ...{ ...at, event: duty.event, rule: duty.rule, priority, total, offset },
        subscriptions: subscriptionsTo(rule, priority),
        perSecond: rule.forEach.perSecond,
        revision: record.revision,
      });
      if (total > 0) await setOffFanOut(at, ports);
    }
  } catch (error) {
    ports.log.warn("attempt-not-made", { delivery: duty.id, error: errorText(error) });
    return null;
  }
  const number = duty.attempts + 1;
  const error = found.ok ? null : `not fanned out: ${found.reason}`;
  return {
    ...recorded(duty, found.ok ? "delivered" : "dead", error),
    attempts: number,
    attempt: {
      number,
      at: new Date(startedAtMs).toISOString(),
      durationMs: ports.clock.nowMs() - startedAtMs,
      status: null,
      error,
      answer: found.ok ? at.id : null,
    },
  };
}

async function find(
  held: HeldEvent,
  { forEach }: FanOutRule,
  ports: DeliverPorts,
): Promise<FoundList> {
  const path = pathInBody(forEach, held.record.contentType);
  const finder = createListFinder(path, forEach.written, ports.text);
  if (held.frame !== null) finder.take(bodyOf(held.frame));
  else {
    const { stream } = await archivedBody(held, ports);
    for await (const bytes of stream) if (!finder.take(bytes)) break;
  }
  return finder.end();
}
