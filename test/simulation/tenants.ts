/**
 * The tenants of a run and what operators make of them. Rules only ask for kinds of events, so that
 * what each revision matches can be said without the program.
 */

import { type BatchLimits, batchLimitsOf } from "../../src/core/batch/batch.ts";
import type { ForEachDoc } from "../../src/core/fan-out/for-each.ts";
import { FAN_OUT, PRIORITIES, type Priority, type Subscription } from "../../src/core/priority.ts";
import { pullTargetOf } from "../../src/core/pull/pull.ts";
import type { Limit, OtherTarget } from "../../src/core/tenant.ts";
import { type MemoryTenants, NO_GATE, type TenantSketch } from "../support/memory-tenants.ts";
import type { Chance } from "./chance.ts";

export interface SimulatedRule {
  readonly id: string;
  readonly kinds: readonly string[];
  readonly priority: Priority;
  readonly targets: readonly string[];
  /** Fanned out over the list that most webhooks have. */
  readonly forEach?: ForEachDoc;
}

/** Two elements a page, so that a list has several. */
const FOR_EACH: ForEachDoc = { path: "$.data.list", perSecond: 2 };

export const TARGET_KINDS = ["http", "event", "queue", "service", "method", "pull"] as const;
/** A service is called by a request, or by a method. */
export type TargetKind = (typeof TARGET_KINDS)[number];

export interface SimulatedTarget {
  readonly id: string;
  readonly kind: TargetKind;
  /** Of queues and services the name of their binding. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly delaysSeconds: readonly number[];
  readonly secret: boolean;
  /** It gets its events together, in one request. */
  readonly batch: BatchLimits | null;
  isPaused: boolean;
}

export interface SimulatedTenant {
  readonly id: string;
  readonly limit: Limit | null;
  /** Those that were not deleted. */
  readonly targets: Map<string, SimulatedTarget>;
  rules: readonly SimulatedRule[];
  /** The rules as each revision of the configuration had them, oldest first. */
  readonly history: { readonly revision: number; readonly rules: readonly SimulatedRule[] }[];
  readonly deletedTargets: Set<string>;
  isDeleted: boolean;
}

export const KINDS = ["a", "b", "c"] as const;
const KIND_SETS: readonly (readonly string[])[] = [["a"], ["b"], ["a", "b"], ["a", "b", "c"]];
const PRIORITY_LIST: readonly Priority[] = ["normal", ...PRIORITIES];
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G";

export interface TenantTraits {
  /** Every event goes to two targets or more, and each attempt may take as long as it can. */
  readonly isBusy: boolean;
  /** What is at work is to be stopped, so nothing is before. */
  readonly isLong: boolean;
  /** Targets are of all kinds. */
  readonly isMixed: boolean;
  /** Most targets get batches. */
  readonly isBatched: boolean;
}

export function drawTenant(
  id: string,
  { isBusy, isLong, isMixed, isBatched }: TenantTraits,
  chance: Chance,
): SimulatedTenant {
  const timeoutMs = isBusy ? 30_000 : chance.pick([5_000, 15_000, 30_000]);
  const ids = ["one", "two", "three"].slice(0, chance.between(isBusy ? 2 : 1, 3));
  const toAll: SimulatedRule = { id: "rule-1", kinds: KINDS, priority: "normal", targets: ids };
  const targets = ids.map((name): [string, SimulatedTarget] => [
    name,
    {
      id: name,
      kind: isMixed ? chance.aside.pick(TARGET_KINDS) : "http",
      url: `https://${name}.example.com/${id}`,
      timeoutMs,
      delaysSeconds: chance.pick([[5], [5, 60], [5, 60, 150]]),
      secret: chance.happens(0.2),
      batch: isBatched && chance.aside.happens(0.7) ? drawBatch(chance) : null,
      isPaused: !isLong && chance.happens(0.3),
    },
  ]);
  return {
    id,
    limit: chance.happens(0.2)
      ? { perSecond: 1, burst: chance.pick([2, 10]), overflow: chance.pick(["reject", "demote"]) }
      : null,
    targets: new Map(targets),
    rules: isBusy ? [toAll] : drawRules(new Map(targets), chance),
    history: [],
    deletedTargets: new Set(),
    isDeleted: false,
  };
}

/** Few and small, so that each of its limits is met; an event in a batch weighs about half a kilobyte. */
const drawBatch = ({ aside }: Chance): BatchLimits =>
  batchLimitsOf({
    ...{ seconds: aside.pick([1, 5, 20]), events: aside.pick([2, 3, 5]) },
    kilobytes: aside.pick([1, 2, 100]),
  });

/** An event is published again by one rule at most: what meets the rules once more is not more of them each time. */
export function drawRules(
  targets: ReadonlyMap<string, SimulatedTarget>,
  chance: Chance,
): SimulatedRule[] {
  let isPublished = false;
  return Array.from({ length: chance.between(1, 2) }, (_, index) => ({
    id: `rule-${index + 1}`,
    kinds: chance.pick(KIND_SETS),
    priority: chance.pick(PRIORITY_LIST),
    targets: chance
      .shuffled([...targets.keys()])
      .slice(0, chance.between(1, 2))
      .filter((name) => {
        if (targets.get(name)?.kind !== "event") return true;
        const isFirst = !isPublished;
        isPublished = true;
        return isFirst;
      }),
    ...(chance.aside.happens(0.15) ? { forEach: FOR_EACH } : {}),
  }));
}

/** What readers of this target may do: little, so that all of it happens. */
export const PULL = pullTargetOf({ maxAttempts: 3, leaseSeconds: 20, backlogMax: 2 });

function otherOf({ kind, url }: SimulatedTarget): OtherTarget | null {
  switch (kind) {
    case "http":
      return null;
    case "event":
      return { kind, source: "told", type: null };
    case "queue":
      return { kind, queue: url };
    case "service":
      return { kind, service: url, method: null };
    case "method":
      return { kind: "service", service: url, method: "take" };
    case "pull":
      return PULL;
  }
}

/** Writes a tenant down as it is now; answers its new revision. A target that a 410 closed stays closed. */
export function writeDown(
  tenant: SimulatedTenant,
  store: MemoryTenants,
  reopened?: string,
): number {
  const closedOf = ({ id, isPaused }: SimulatedTarget) => {
    if (isPaused) return "paused";
    const isNew = store.revision(tenant.id) === undefined;
    return isNew || id === reopened || store.isOpen(tenant.id, id) ? null : "disabled";
  };
  const targets: Record<string, NonNullable<TenantSketch["targets"]>[string]> = {};
  for (const target of tenant.targets.values()) {
    const { id, url, timeoutMs, delaysSeconds, secret, batch } = target;
    const other = otherOf(target);
    targets[id] = {
      ...{ url, timeoutMs, retry: { delaysSeconds }, closed: closedOf(target) },
      ...(other === null ? {} : { other }),
      ...(batch === null ? {} : { gate: { ...NO_GATE, batch } }),
      ...(secret ? { secret: SECRET } : {}),
    };
  }
  const rules = tenant.rules.map((rule) => ({
    ...rule,
    targets: rule.targets.filter((name) => name in targets),
  }));
  const sketches = rules.map(({ id, kinds, priority, targets: names, forEach }) => {
    const pattern = { data: { kind: [...kinds] } };
    const list = forEach === undefined ? {} : { forEach };
    return [id, { pattern, priority, targets: names, ...list }] as const;
  });
  const { revision } = store.put(tenant.id, {
    ...(tenant.limit === null ? {} : { limit: tenant.limit }),
    sources: { hooks: {} },
    targets,
    rules: Object.fromEntries(sketches),
  });
  tenant.history.push({ revision, rules });
  return revision;
}

/** What an event of a kind is owed by the rules of a revision. */
export function owedTo(tenant: SimulatedTenant, revision: number, kind: string): Subscription[] {
  const at = tenant.history.findLast((entry) => entry.revision <= revision);
  return (at?.rules ?? [])
    .filter(({ kinds }) => kinds.includes(kind))
    .flatMap(({ id: rule, priority, targets, forEach }) =>
      (forEach === undefined ? targets : [FAN_OUT]).map((target) => ({ rule, target, priority })),
    );
}
