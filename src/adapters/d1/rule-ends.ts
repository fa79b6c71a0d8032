/** When targets lost their rules, in D1: out of the versions of all rules of a tenant, which is no cheap question. */
import type { RuleEnds } from "../../ports/rule-ends.ts";
import { number, type Session } from "./session.ts";

/** ?1 = tenant, ?2 = target. What came after each version that sent to it. */
export const LAST_RULE_END = `
SELECT MAX((
  SELECT n.changed_at FROM rule_versions AS n
  WHERE n.tenant = v.tenant AND n.id = v.id AND n.version > v.version ORDER BY n.version LIMIT 1)) AS ended_at
FROM tenants AS t CROSS JOIN rule_versions AS v
WHERE t.id = ?1 AND v.tenant = ?1 AND v.changed_at >= t.created_at AND v.doc IS NOT NULL
  AND v.doc->>'$.enabled' IS NOT 0 AND v.doc->>'$.mode' IS NOT 'shadow'
  AND ?2 IN (SELECT value FROM json_each(v.doc, '$.targets'))`;

export const createRuleEnds = (session: Session): RuleEnds => ({
  async last(tenant, target) {
    const [row] = await session.rows("last-rule-end", LAST_RULE_END, [tenant, target]);
    const endedAt = row?.ended_at ?? null;
    return endedAt === null ? null : number(endedAt);
  },
});
