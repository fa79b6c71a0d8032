/** What goes to a target in batches, in D1. */
import { BATCH_SETTLE_PAGE } from "../../core/batch/limits.ts";
import { SLOTS } from "../../core/generation.ts";
import type { Batches, BatchResult } from "../../ports/batches.ts";
import * as sql from "./batch-statements.ts";
import { compactKey } from "./claim.ts";
import { keysOf } from "./delivery-rows.ts";
import { lookBy } from "./pulls.ts";
import { number, type Session, type Statement } from "./session.ts";
import { bySlot } from "./slots.ts";

export const createBatches = (session: Session): Batches => ({
  look: (id, count) => lookBy(session, "look-for-batch", sql.READY_FOR_BATCH, id, count),

  async nextDueInMs({ tenant, target }) {
    const params = [tenant, target];
    const statements = SLOTS.map((slot) => ({ sql: sql.NEXT_DUE[slot], params }));
    const rows = (await session.batch("next-due", statements)).flat();
    const found = rows.flatMap((row) => (row.due_in == null ? [] : [number(row.due_in)]));
    return found.length === 0 ? null : Math.min(...found);
  },

  async settle({ target }, results) {
    const statements = bySlot(results).flatMap(([slot, own]) =>
      pagesOf(own).map((page): Statement => {
        return {
          sql: sql.SETTLE_BATCH[slot],
          params: [JSON.stringify(page.map(resultRow)), target],
        };
      }),
    );
    return keysOf((await session.batch("settle-batch", statements)).flat());
  },
});

const pagesOf = <Item>(items: readonly Item[]): Item[][] =>
  Array.from({ length: Math.ceil(items.length / BATCH_SETTLE_PAGE) }, (_, at) =>
    items.slice(at * BATCH_SETTLE_PAGE, (at + 1) * BATCH_SETTLE_PAGE),
  );

const resultRow = (result: BatchResult) => [
  ...compactKey(result),
  ...[result.token, result.leasedAtMs, result.state, result.dueInMs],
  ...[result.lastStatus, result.lastError, result.attempt],
];
