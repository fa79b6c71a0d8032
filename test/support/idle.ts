/** The state in which everything accepted is settled, so that what has not come will not come. */
import type { Router } from "./router.ts";
import { eventually } from "./wait.ts";

/**
 * Resolves when no queue and no outbox row holds anything: with `OUTBOX=always` a row stays from
 * before the 202 until its events are settled.
 */
export async function untilIdle({ admin }: Router, withinMs = 50_000): Promise<void> {
  await eventually(
    () => admin.get("queues"),
    ({ body: { items, outbox } }) =>
      outbox?.rows === 0 && items.every(({ backlog }: { backlog: number }) => backlog === 0),
    withinMs,
  );
}
