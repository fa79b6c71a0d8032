/** Why an event went where it went: all rules of its tenant, as they are now, beside what they saw. */
import { isJsonObject, type Json, parseJsonDocument } from "../core/json.ts";
import { EXPLAINED_RULES_MAX, LIST_LIMIT_MAX } from "../core/limits.ts";
import {
  type ExplainedRule,
  explainRules,
  type Pattern,
  parsePattern,
} from "../core/pattern/index.ts";
import type { ConfigStore } from "../ports/config.ts";

export interface RuleOfNow extends ExplainedRule {
  readonly enabled: boolean;
}

export interface ExplainedEvent {
  /** The first of them: those that match, then the nearest misses. */
  readonly rules: readonly RuleOfNow[];
  /** How many rules were looked at, and whether those were all. */
  readonly total: number;
  readonly complete: boolean;
}

interface ReadRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly pattern: Pattern;
}

export async function explainEvent(
  tenant: string,
  event: Json,
  count: number,
  config: Pick<ConfigStore, "resources">,
): Promise<ExplainedEvent> {
  const rules = new Map<string, ReadRule>();
  let after: string | null = "";
  while (after !== null && rules.size < EXPLAINED_RULES_MAX) {
    const page: Awaited<ReturnType<ConfigStore["resources"]>> = await config.resources(
      tenant,
      "rule",
      after,
      LIST_LIMIT_MAX,
    );
    for (const { id, doc } of page.items) {
      const rule = readRule(id, doc);
      if (rule !== null) rules.set(id, rule);
    }
    after = page.after;
  }
  const explained = explainRules(rules.values(), event, count);
  return {
    rules: explained.map((rule) => ({ ...rule, enabled: rules.get(rule.id)?.enabled !== false })),
    total: rules.size,
    complete: after === null,
  };
}

/** Null for one that cannot be read, which matches nothing. */
function readRule(id: string, doc: string): ReadRule | null {
  const read = parseJsonDocument(doc);
  if (!read.ok || !isJsonObject(read.value)) return null;
  const parsed = parsePattern(read.value.pattern ?? null);
  return parsed.ok ? { id, enabled: read.value.enabled !== false, pattern: parsed.pattern } : null;
}
