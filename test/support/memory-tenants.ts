/** Tenants in memory: what the directory reads, and short ways to write them down. */

import { keyOfSecret } from "../../src/core/deliver/signing-keys.ts";
import { compileForEach, type ForEachDoc } from "../../src/core/fan-out/for-each.ts";
import type { Json } from "../../src/core/json.ts";
import { compileRules, parsePattern, type RuleSet } from "../../src/core/pattern/index.ts";
import type { Priority } from "../../src/core/priority.ts";
import type { RuleMode } from "../../src/core/resources.ts";
import type { Gate, Limit, Source, Target, Tenant } from "../../src/core/tenant.ts";
import { compileTransformer, type TransformerDoc } from "../../src/core/transform/transformer.ts";
import type { VerifyConfig } from "../../src/core/verify/config.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { TenantStore } from "../../src/ports/directory.ts";

export interface TenantSketch {
  readonly limit?: Limit;
  /** By slug; an empty one takes anything. */
  readonly sources?: Readonly<Record<string, Partial<Source> & { verify?: VerifyConfig }>>;
  readonly targets?: Readonly<Record<string, Partial<Target> & { secret?: string }>>;
  readonly rules?: Readonly<Record<string, RuleSketch>>;
}

export interface RuleSketch {
  readonly pattern?: Json;
  readonly priority?: Priority;
  readonly targets: readonly string[];
  readonly transformers?: Readonly<Record<string, TransformerDoc>>;
  readonly forEach?: ForEachDoc;
  /** Its revision is its version. */
  readonly mode?: RuleMode;
}

export interface MemoryTenants extends TenantStore {
  /** How often the store was read, by tenant. */
  readonly loads: string[];
  /** Creates or replaces; each change gives a new revision. */
  put(id: string, sketch: TenantSketch): Tenant;
  delete(id: string): void;
  revision(id: string): number | undefined;
  /** When its present life began, and with which revision. */
  born(id: string): { readonly atMs: number; readonly revision: number } | undefined;
  has(id: string, target: string): boolean;
  /** Whether the tenant has the target and nothing closes it. */
  isOpen(id: string, target: string): boolean;
  /** Whether the target has limits of its own. */
  hasGate(id: string, target: string): boolean;
  /** Whether what the target gets is leased where it rests: by a reader, or for a batch. */
  isLeased(id: string, target: string): boolean;
  /** Whether what the target gets is in order. */
  hasOrder(id: string, target: string): boolean;
  /** Closes a target as a 410 does; the new revision, or null if there is no such target, or none of this version. */
  disable(id: string, target: string, reason: string, version?: number): number | null;
}

export function createMemoryTenants(
  clock: Pick<Clock, "nowMs"> = { nowMs: Date.now },
): MemoryTenants {
  const tenants = new Map<string, Tenant>();
  const births = new Map<string, { atMs: number; revision: number }>();
  const loads: string[] = [];
  let revision = 0;
  return {
    loads,
    async load(id) {
      loads.push(id);
      return tenants.get(id) ?? null;
    },
    put(id, sketch) {
      revision += 1;
      const tenant = bornBy(clock.nowMs(), tenantOf(id, revision, sketch), tenants.get(id));
      tenants.set(id, tenant);
      if (!births.has(id)) births.set(id, { atMs: clock.nowMs(), revision });
      return tenant;
    },
    delete(id) {
      tenants.delete(id);
      births.delete(id);
    },
    born: (id) => births.get(id),
    revision: (id) => tenants.get(id)?.revision,
    has: (id, target) => tenants.get(id)?.targets.has(target) === true,
    isOpen: (id, target) => tenants.get(id)?.targets.get(target)?.closed === null,
    hasGate: (id, target) => tenants.get(id)?.targets.get(target)?.gate.isSet === true,
    isLeased(id, name) {
      const target = tenants.get(id)?.targets.get(name);
      return target?.other?.kind === "pull" || target?.gate.batch !== undefined;
    },
    hasOrder: (id, target) => tenants.get(id)?.targets.get(target)?.order !== undefined,
    disable(id, name, reason, version) {
      const tenant = tenants.get(id);
      if (tenant === undefined) return null;
      revision += 1;
      const target = tenant.targets.get(name);
      const isMeant =
        target !== undefined && (version ?? target.gate.version) === target.gate.version;
      const targets = new Map(tenant.targets);
      if (isMeant) {
        const gate = { ...target.gate, version: revision };
        const disabled = { reason, isPaused: target.closed === "paused" };
        targets.set(name, { ...target, gate, closed: "disabled", disabled });
      }
      tenants.set(id, { ...tenant, targets, revision });
      return isMeant ? revision : null;
    },
  };
}

/** A target that was there before is older; each change of its tenant is a version of it. */
function bornBy(nowMs: number, tenant: Tenant, before: Tenant | undefined): Tenant {
  const bornOf = (name: string) => before?.targets.get(name)?.gate.bornAtMs ?? nowMs;
  const targets = [...tenant.targets].map(([name, target]): [string, Target] => {
    return [
      name,
      { ...target, gate: { bornAtMs: bornOf(name), version: tenant.revision, ...target.gate } },
    ];
  });
  return { ...tenant, targets: new Map(targets) };
}

export function tenantOf(id: string, revision: number, sketch: TenantSketch): Tenant {
  const rules = Object.entries(sketch.rules ?? {});
  const isShadow = ([, { mode }]: (typeof rules)[number]) => mode === "shadow";
  const shadows = new Map(rules.filter(isShadow).map(([name]) => [name, revision]));
  const live = Object.fromEntries(rules.filter((rule) => !isShadow(rule)));
  return {
    id,
    revision,
    limit: sketch.limit ?? null,
    sources: mapOf(sketch.sources, (name, source) => ({
      id: name,
      verify: { scheme: "none" },
      secretIds: [],
      limit: null,
      bytesMax: 1_000_000,
      ...source,
    })),
    targets: mapOf(sketch.targets, targetOf),
    shadows: shadows.size === 0 ? null : shadows,
    rules: mapOf(live, (name, { priority = "normal", targets, transformers = {}, forEach }) => ({
      id: name,
      priority,
      targets: [...new Set(targets)],
      transformers: mapOf(transformers, (_, doc) => compileTransformer(doc)),
      ...(forEach === undefined ? {} : { forEach: compileForEach(forEach) }),
    })),
    ruleSet: ruleSetOf(rules),
  };
}

/** Compiled once in a process: thousands of simulated tenants have the same few rules. */
const compiled = new Map<string, RuleSet>();

function ruleSetOf(rules: readonly (readonly [string, RuleSketch])[]): RuleSet {
  const patterns = rules.map(([name, { pattern = { id: [{ exists: true }] } }]) => {
    return [name, pattern] as const;
  });
  const key = JSON.stringify(patterns);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const ruleSet = compileRules(
    patterns.map(([name, pattern]) => {
      const parsed = parsePattern(pattern);
      if (!parsed.ok) throw new Error(`rule ${name} has no valid pattern`);
      return { id: name, pattern: parsed.pattern };
    }),
  );
  compiled.set(key, ruleSet);
  return ruleSet;
}

/** Of a target that has no limits of its own. */
export const NO_GATE: Gate = {
  ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: false },
};

function targetOf(
  name: string,
  { secret, ...more }: Partial<Target> & { secret?: string },
): Target {
  const key = secret === undefined ? null : keyOfSecret(secret, null);
  return {
    id: name,
    url: `https://${name}.example.com/`,
    headers: {},
    signingKeys: key === null ? [] : [key],
    timeoutMs: 15_000,
    retry: { delaysSeconds: [5, 300] },
    gate: NO_GATE,
    ...{ closed: null, saga: null },
    ...more,
  };
}

function mapOf<Sketch, Value>(
  sketches: Readonly<Record<string, Sketch>> = {},
  make: (name: string, sketch: Sketch) => Value,
): Map<string, Value> {
  return new Map(Object.entries(sketches).map(([name, sketch]) => [name, make(name, sketch)]));
}
