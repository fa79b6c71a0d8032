/** All that limits a target right now: its gate, its tenant's limit, its rules, and the queues that they use. */
import { limitationBy } from "../core/admit/usage.ts";
import type { Limitation } from "../core/limitation.ts";
import type { Priority } from "../core/priority.ts";
import { controlsOf, limitationsOf, waitingSinceMs } from "../core/queue-control.ts";
import { CONSUMER_SETTINGS } from "../core/queue-settings.ts";
import type { Target, Tenant } from "../core/tenant.ts";
import type { DeliverPorts } from "./ports.ts";
import type { ViewParts } from "./view-parts.ts";

type LimitPorts = Pick<DeliverPorts, "clock" | "gates" | "ledger" | "limiter" | "queues">;

/** What may be unknown of them. */
export const LIMIT_PARTS = ["gate", "queues", "rules", "tenant"] as const;
type Parts = Pick<ViewParts<(typeof LIMIT_PARTS)[number]>, "read">;

/** `lastRuleEnded`: when the last rule that sent to it ceased to; asked only when none does. Null: none is known. */
export async function limitsOfTarget(
  tenant: Tenant,
  target: Target,
  lastRuleEnded: () => Promise<number | null>,
  parts: Parts,
  ports: LimitPorts,
): Promise<readonly Limitation[]> {
  const rules = [...tenant.rules.values()].filter(
    ({ isDisabled, targets }) => isDisabled !== true && targets.includes(target.id),
  );
  const used = new Set(rules.map(({ priority }) => priority));
  const id = { tenant: tenant.id, target: target.id };
  const found = await Promise.all([
    byOperator(target, ports),
    parts.read("gate", () => ports.gates.limits(id, target.gate), []),
    rules.length > 0 ? [] : byNoRule(target, lastRuleEnded, parts, ports),
    byTenant(tenant, parts, ports),
    byQueues(used, parts, ports),
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
  parts: Parts,
  { clock }: LimitPorts,
): Promise<Limitation[]> {
  const bornAtMs = gate.bornAtMs ?? clock.nowMs();
  const endedAtMs = await parts.read("rules", lastRuleEnded, null);
  const sinceMs = Math.max(bornAtMs, endedAtMs ?? bornAtMs);
  return [{ by: "rule", sinceMs, untilMs: null, detail: "no enabled rule sends to it" }];
}

async function byTenant(
  { id, limit }: Tenant,
  parts: Parts,
  { limiter }: LimitPorts,
): Promise<Limitation[]> {
  if (limit === null) return [];
  const asked = [{ scope: "tenant", rate: limit }];
  const usage = await parts.read("tenant", () => limiter.usage(id, asked), []);
  return usage.flatMap((each) => limitationBy(each, limit, "the tenant"));
}

async function byQueues(
  used: ReadonlySet<Priority>,
  parts: Parts,
  { clock, ledger, queues }: LimitPorts,
): Promise<Limitation[]> {
  if (used.size === 0) return [];
  const said = await parts.read("queues", () => ledger.queueControls(), null);
  if (said === null) return [];
  const controls = controlsOf(said);
  const found = await Promise.all(
    [...used].map(async (queue) => {
      const control = controls.get(queue);
      if (control === undefined) return [];
      const metrics = await parts.read("queues", () => queues.metrics(queue), null);
      const sinceMs = waitingSinceMs(metrics, clock.nowMs());
      return limitationsOf(control, CONSUMER_SETTINGS[queue], sinceMs).map(
        (each): Limitation => ({ ...each, detail: `the queue ${queue}: ${each.detail}` }),
      );
    }),
  );
  return found.flat();
}
