/** Events that came before, for tests that look back at them. */
import { accepted } from "./ingest-answer.ts";
import type { Router } from "./router.ts";
import { eventually } from "./wait.ts";

/**
 * Sends totals 1 to 5 to the source `open` of a tenant, the last with a body too big for a message, each once the
 * one before is archived. Their ids, in order.
 */
export async function sendTotals(router: Router, tenant: string): Promise<string[]> {
  const came: string[] = [];
  await router.admin.put(`tenants/${tenant}/sources/open`, { verify: { scheme: "none" } });
  for (const total of [1, 2, 3, 4, 5]) {
    const more = total === 5 ? { filling: "x".repeat(100_000) } : {};
    const body = JSON.stringify({ total, ...more });
    const { id } = await accepted(router.send(`${tenant}/open`, { body }));
    came.push(id);
    await eventually(
      () => router.admin.get(`tenants/${tenant}/events/${id}`),
      ({ body: { archived } }) => archived === true,
    );
  }
  return came;
}
