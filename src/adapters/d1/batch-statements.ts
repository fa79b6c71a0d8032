/** The SQL of what goes to a target in batches, beside that of what readers pull. */
import { IN_OPEN_QUEUE } from "./owed-statements.ts";
import { GATE_PARKED, parkedOf } from "./parked-statements.ts";
import { IS_HELD, readyWhere, withAttempt } from "./pull-statements.ts";
import { deliveriesOf, perSlot } from "./slots.ts";
import { NOW } from "./statements.ts";

/** As READY; what is of a paused queue waits. */
export const READY_FOR_BATCH = readyWhere(IN_OPEN_QUEUE);

/** ?1 = tenant, ?2 = target. */
export const NEXT_DUE = perSlot(
  (slot) => `
SELECT MIN(due_at) - ${NOW} AS due_in FROM ${parkedOf(slot)}
WHERE tenant = ?1 AND target = ?2 AND ${GATE_PARKED} AND due_at > ${NOW}`,
);

/**
 * ?1 = [[tenant, receivedAt, event, subscription, token, leasedAt, state, dueIn, lastStatus, lastError, attempt]],
 * ?2 = target. Without a token: its lease is over.
 */
export const SETTLE_BATCH = perSlot(
  (slot) => `
UPDATE ${deliveriesOf(slot)} AS deliveries SET
  state = value->>6, due_at = ${NOW} + (value->>7), last_status = COALESCE(value->>8, last_status),
  last_error = value->>9, settled_at = ${NOW}, token = NULL, log = ${withAttempt("json(value->10)")}
FROM json_each(?1) AS j
WHERE ${IS_HELD} AND deliveries.target = ?2
RETURNING event, subscription`,
);
