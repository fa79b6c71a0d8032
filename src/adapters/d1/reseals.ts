/** The job that seals secrets anew: asked for in every pass of the sweeper, so it is one read of an index. */
import type { Reseal } from "../../ports/encryption.ts";
import { type Session, text } from "./session.ts";

export const RUNNING_RESEAL = `
SELECT id, query FROM jobs INDEXED BY jobs_running
WHERE state = 'running' AND kind = 'reseal' ORDER BY id LIMIT 1`;

export async function runningReseal(session: Session): Promise<Reseal | null> {
  const [row] = await session.rows("reseals", RUNNING_RESEAL, []);
  return row === undefined
    ? null
    : { job: text(row.id), after: JSON.parse(text(row.query)).after ?? null };
}
