/** All that limits a target right now: its gate, its tenant's limit, its rules, and the queues that they use. */
import { limitationBy } from "../core/admit/usage.ts";
import type { Limitation } from "../core/limitation.ts";
import type { Priority } from "../core/priority.ts";
import { controlsOf, limitationsOf } from "../core/queue-control.ts";
import { CONSUMER_SETTINGS } from "../core/queue-settings.ts";
import type { Target, Tenant } from "../core/tenant.ts";
import type { DeliverPorts } from "./ports.ts";

type LimitPorts = Pick<DeliverPorts, "clock" | "gates" | "ledger" | "limiter" | "queues">;

/** `lastRuleEnded`: when the last rule that sent to it ceased to; asked only when none does. Null: none is known. */
export async function limitsOfTarget(
  tenant: Tenant,
  target: Target,
  lastRuleEnded: () => Promise<number | null>,
  ports: LimitPorts,
): Promise<readonly Limitation[]> {
  const rules = [...tenant.rules.values()].filter(
    ({ isDisabled, targets }) => isDisabled !== true && targets.includes(target.id),
  );
  const used = new Set(rules.map(({ priority }) => priority));
  const found = await Promise.all([
    byOperator(target, ports),
    ports.gates.limits({ tenant: tenant.id, target: target.id }, target.gate),
    rules.length > 0 ? [] : byNoRule(target, lastRuleEnded, ports),
    byTenant(tenant, ports),
    byQueues(used, ports),
  ]);
  return found.flat();
}

function byOperator({ closed, closedAtMs, disabled }: Target, { clock }: LimitPorts): Limitation[] {
  if (closed === null) return [];
  const why = disabled === undefined ? "" : `: ${disabled.reason}`;
  const more = disabled?.isPaused ? "; and paused" : "";
  const detail = `the target is ${closed}${why}${more}`;
  return [{ by: "operator", sinceMs: closedAtMs ?? clock.nowMs(), untilMs: null, detail }];
}

async function byNoRule(
  { gate }: Target,
  lastRuleEnded: () => Promise<number | null>,
  { clock }: LimitPorts,
): Promise<Limitation[]> {
  const bornAtMs = gate.bornAtMs ?? clock.nowMs();
  const sinceMs = Math.max(bornAtMs, (await lastRuleEnded()) ?? bornAtMs);
  return [{ by: "rule", sinceMs, untilMs: null, detail: "no enabled rule sends to it" }];
}

async function byTenant({ id, limit }: Tenant, { limiter }: LimitPorts): Promise<Limitation[]> {
  if (limit === null) return [];
  const usage = await limiter.usage(id, [{ scope: "tenant", rate: limit }]);
  return usage.flatMap((each) => limitationBy(each, limit, "the tenant"));
}

async function byQueues(
  used: ReadonlySet<Priority>,
  { clock, ledger, queues }: LimitPorts,
): Promise<Limitation[]> {
  if (used.size === 0) return [];
  const controls = controlsOf(await ledger.queueControls());
  const found = await Promise.all(
    [...used].map(async (queue) => {
      const control = controls.get(queue);
      if (control === undefined) return [];
      const { backlog, oldestMessageMs } = await queues.metrics(queue);
      const sinceMs = backlog === 0 ? null : (oldestMessageMs ?? clock.nowMs());
      return limitationsOf(control, CONSUMER_SETTINGS[queue], sinceMs).map(
        (each): Limitation => ({ ...each, detail: `the queue ${queue}: ${each.detail}` }),
      );
    }),
  );
  return found.flat();
}
