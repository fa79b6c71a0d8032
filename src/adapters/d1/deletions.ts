/** Which tenants are being deleted: asked in every pass of the sweeper, so it is one read of an index. */
import type { Deletion } from "../../ports/deletions.ts";
import { number, type Session, text } from "./session.ts";
import { NOW } from "./statements.ts";

/**
 * ?1 = how many. A tenant that exists again began its present life when it was created; where there is
 * none, all that was stored up to now is of a life that ended.
 */
export const RUNNING = `
SELECT j.id, j.tenant, j.created_at, ${NOW} - j.created_at AS age, COALESCE(t.created_at, ${NOW}) AS before,
       t.id IS NOT NULL AS again
FROM jobs AS j INDEXED BY jobs_running LEFT JOIN tenants AS t ON t.id = j.tenant
WHERE j.state = 'running' AND j.kind = 'delete-tenant' ORDER BY j.id LIMIT ?1`;

export async function runningDeletions(session: Session, count: number): Promise<Deletion[]> {
  return (await session.rows("deletions", RUNNING, [count])).map((row) => ({
    job: text(row.id),
    tenant: text(row.tenant),
    // Revisions count from the time of a tenant's creation, one for each change.
    revision: number(row.created_at),
    ageMs: number(row.age),
    beforeMs: number(row.before),
    existsAgain: number(row.again) === 1,
  }));
}
