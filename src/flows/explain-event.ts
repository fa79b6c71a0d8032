/** Why an event went where it went: all rules of its tenant, as they are now, beside what they saw. */

import { EXPLAINED_RULES_MAX } from "../core/archive-limits.ts";
import { isJsonObject, type Json, parseJsonDocument } from "../core/json.ts";
import { LIST_LIMIT_MAX } from "../core/limits.ts";
import { type ExplainedRule, explainRule, nearestFirst } from "../core/pattern/explain-rules.ts";
import { parsePattern } from "../core/pattern/index.ts";
import type { RuleMode } from "../core/resources.ts";
import type { ConfigStore, Page, StoredResource } from "../ports/config.ts";

export interface RuleOfNow extends ExplainedRule {
  readonly enabled: boolean;
  readonly mode: RuleMode;
}

export interface ExplainedEvent {
  /** The first of them: those that match, then the nearest misses. */
  readonly rules: readonly RuleOfNow[];
  /** How many rules were looked at, and whether those were all. */
  readonly total: number;
  readonly complete: boolean;
}

/** Page by page: no more is held than a page of rules and what is shown. */
export async function explainEvent(
  tenant: string,
  event: Json,
  count: number,
  config: Pick<ConfigStore, "resources">,
): Promise<ExplainedEvent> {
  let rules: RuleOfNow[] = [];
  let total = 0;
  let after: string | null = "";
  while (after !== null && total < EXPLAINED_RULES_MAX) {
    const page: Page<StoredResource> = await config.resources(
      tenant,
      "rule",
      after,
      LIST_LIMIT_MAX,
    );
    const explained = page.items.flatMap(({ id, doc }) => explainedNow(id, doc, event));
    rules = nearestFirst([...rules, ...explained], count);
    total += explained.length;
    after = page.after;
  }
  return { rules, total, complete: after === null };
}

/** None for one that cannot be read, which matches nothing. */
function explainedNow(id: string, doc: string, event: Json): RuleOfNow[] {
  const read = parseJsonDocument(doc);
  if (!read.ok || !isJsonObject(read.value)) return [];
  const { pattern = null, enabled, mode } = read.value;
  const parsed = parsePattern(pattern);
  if (!parsed.ok) return [];
  return [
    {
      ...explainRule(id, parsed.pattern, event),
      enabled: enabled !== false,
      mode: mode === "shadow" ? "shadow" : "live",
    },
  ];
}
