/** Reads a tenant whole, in one round trip, and makes of it what the hot path uses. */

import { compileForEach } from "../../core/fan-out/for-each.ts";
import { parseJsonDocument } from "../../core/json.ts";
import { compileRules, parsePattern } from "../../core/pattern/index.ts";
import {
  limitOf,
  type RuleBody,
  type Secrets,
  type SourceDoc,
  sourceOf,
  type TenantBody,
} from "../../core/resources.ts";
import { unpack } from "../../core/saga/text.ts";
import { closedAtMs, type TargetDoc, targetOf } from "../../core/stored-target.ts";
import type { Limit, Rule, SagaDefinition, Source, Target, Tenant } from "../../core/tenant.ts";
import { compileTransformer } from "../../core/transform/transformer.ts";
import type { TenantStore } from "../../ports/directory.ts";
import type { Log } from "../../ports/log.ts";
import type { Vault } from "../../ports/vault.ts";
import { number, type Row, type Session, text } from "./session.ts";

const TENANT = "SELECT doc, revision FROM tenants WHERE id = ?1";
const RESOURCES = `
SELECT kind, id, doc, sealed, version, created_at, updated_at FROM resources WHERE tenant = ?1 ORDER BY kind, id`;

export function createTenantStore(session: Session, vault: Vault, log: Log): TenantStore {
  return {
    async load(id) {
      const [tenantRows, resourceRows] = await session.batch("load-tenant", [
        { sql: TENANT, params: [id] },
        { sql: RESOURCES, params: [id] },
      ]);
      const row = tenantRows?.[0];
      if (row === undefined) return null;
      const sources = new Map<string, Source>();
      const targets = new Map<string, Target>();
      const rules: RuleRow[] = [];
      const sagas = new Map<string, SagaDefinition>();
      for (const resource of resourceRows ?? []) {
        const name = text(resource.id);
        const kind = text(resource.kind);
        if (kind === "rule") {
          rules.push({ id: name, doc: text(resource.doc), version: number(resource.version) });
          continue;
        }
        if (kind === "saga") {
          // Before the targets that name it, by the order of the rows.
          sagas.set(name, {
            createdAtMs: number(resource.created_at),
            ...{ version: number(resource.version), doc: unpack(text(resource.doc)) },
          });
          continue;
        }
        const opened = await open(vault, `${id}/${kind}/${name}`, resource, log);
        const doc = JSON.parse(text(resource.doc));
        if (kind === "source") {
          const fingerprint = (secret: string) => vault.fingerprint(`${id}/${name}`, secret);
          const source = sourceOf(name, { doc: doc as SourceDoc, ...opened }, fingerprint);
          sources.set(name, opened.isLocked ? { ...source, isLocked: true } : source);
        } else {
          const definitionOf = (saga: string) => sagas.get(saga) ?? null;
          const target = targetOf(name, { doc: doc as TargetDoc, ...opened }, definitionOf);
          const [bornAtMs, version] = [number(resource.created_at), number(resource.version)];
          const gate = { ...target.gate, bornAtMs, version };
          const closed =
            target.closed === null
              ? {}
              : { closedAtMs: closedAtMs(doc as TargetDoc, number(resource.updated_at)) };
          const locked = opened.isLocked ? { isLocked: true } : {};
          targets.set(name, { ...target, gate, ...closed, ...locked });
        }
      }
      const limit = limitOf((JSON.parse(text(row.doc)) as TenantBody).limit);
      return assemble(id, number(row.revision), limit, sources, targets, rules, log);
    },
  };
}

interface RuleRow {
  readonly id: string;
  readonly doc: string;
  readonly version: number;
}

/** What one resource's key is missing for holds up nothing else of its tenant, or of others. */
async function open(
  vault: Vault,
  name: string,
  { sealed }: Row,
  log: Log,
): Promise<{ secrets: Secrets | null; isLocked: boolean }> {
  if (sealed === null || sealed === undefined) return { secrets: null, isLocked: false };
  const opened = await vault.open(name, text(sealed));
  if (opened.ok) return { secrets: JSON.parse(opened.plain) as Secrets, isLocked: false };
  log.error("secrets-locked", { resource: name, key: opened.keyId });
  return { secrets: null, isLocked: true };
}

function assemble(
  id: string,
  revision: number,
  limit: Limit | null,
  sources: Map<string, Source>,
  targets: Map<string, Target>,
  rows: readonly RuleRow[],
  log: Log,
): Tenant {
  const rules = new Map<string, Rule>();
  const shadows = new Map<string, number>();
  const patterns = [];
  for (const { id: rule, doc, version } of rows) {
    const parsed = parseRule(doc);
    if (parsed === null) {
      // It was valid when it was saved: refused at the door, so this is our bug and must be seen.
      log.error("rule-unreadable", { tenant: id, rule });
      continue;
    }
    const { body, pattern } = parsed;
    const { priority } = body;
    // A rule of an earlier version may name a target twice: each event goes there once.
    const targets = [...new Set(body.targets)];
    if (body.mode === "shadow") shadows.set(rule, version);
    else rules.set(rule, { ...common(body), id: rule, priority, targets });
    if (body.enabled !== false) patterns.push({ id: rule, pattern });
  }
  return {
    ...{ id, revision, limit, sources, targets, rules },
    shadows: shadows.size === 0 ? null : shadows,
    ruleSet: compileRules(patterns),
  };
}

const common = (body: RuleBody) => ({
  transformers: transformersOf(body),
  ...(body.forEach === undefined ? {} : { forEach: compileForEach(body.forEach) }),
  ...(body.enabled === false ? { isDisabled: true as const } : {}),
});

const NONE: Rule["transformers"] = new Map();

const transformersOf = ({ transformers }: RuleBody): Rule["transformers"] =>
  transformers === undefined
    ? NONE
    : new Map(
        Object.entries(transformers).map(([target, doc]) => [target, compileTransformer(doc)]),
      );

function parseRule(doc: string) {
  const read = parseJsonDocument(doc);
  if (!read.ok) return null;
  const body = read.value as unknown as RuleBody;
  const parsed = parsePattern(body.pattern);
  return parsed.ok ? { body, pattern: parsed.pattern } : null;
}
