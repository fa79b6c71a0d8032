/** Bugs to plant into targets that get batches. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const ANSWER = "src/core/batch/answer.ts";
const BATCH = "src/core/batch/batch.ts";
const MESSAGES = "src/flows/batch-messages.ts";
const SEND = "src/flows/send-batch.ts";
const SWEEP = "src/flows/sweep.ts";

const WAKE = "await ports.gates.wake(id, target?.gate ?? null);";
export const PLANTED_IN_BATCHES: readonly PlantedBug[] = [
  bug(
    "what failed in a batch counts as delivered",
    ANSWER,
    'if (name === undefined) return { state: "delivered" };',
    'if (name === undefined || named.size > 0) return { state: "delivered" };',
  ),
  bug(
    "of a batch of which something failed the rest is sent again",
    ANSWER,
    'if (name === undefined) return { state: "delivered" };',
    'if (name === undefined && named.size === 0) return { state: "delivered" };',
  ),
  bug(
    "what is named by its event has not failed",
    MESSAGES,
    "const names = [id, archived.record.cloudevent?.id ?? archived.record.id];",
    "const names = [id];",
  ),
  bug(
    "a refused batch counts as delivered",
    ANSWER,
    "answer.status >= 200 && answer.status < 300;",
    "answer.status >= 200;",
  ),
  bug("the sweeper leaves batches alone", SWEEP, WAKE, `if (!isBatched) ${WAKE}`),
  {
    name: "a batch has one event more than its target takes",
    edits: [
      {
        file: SEND,
        find: "batches.look(id, limits.eventsMax);",
        replace: "batches.look(id, limits.eventsMax + 1);",
      },
      { file: BATCH, find: "(at >= eventsMax ||", replace: "(at > eventsMax ||" },
    ],
  },
  bug(
    "a batch has twice the bytes that its target takes",
    BATCH,
    "bytes > bytesMax))",
    "bytes > 2 * bytesMax))",
  ),
  bug(
    "what failed in a batch is due at once",
    SEND,
    'dueInMs: outcome.state === "retrying" ? outcome.delayMs : null, attempt',
    'dueInMs: outcome.state === "retrying" ? 0 : null, attempt',
  ),
  bug(
    "each attempt in a batch is the first",
    MESSAGES,
    "attempt: attempts + 1 };",
    "attempt: 1 };",
  ),
  bug(
    "the lease of a batch is over before its request",
    SEND,
    "const leaseMs = target.timeoutMs + BATCH_LEASE_MARGIN_MS;",
    "const leaseMs = BATCH_LEASE_MARGIN_MS - BATCH_LEASE_MARGIN_MS + 1;",
  ),
  bug(
    "deliveries of a batch that failed for good wait for ever",
    SEND,
    'state: outcome.state === "retrying" ? "parked" : outcome.state, lastStatus',
    'state: outcome.state === "delivered" ? outcome.state : "parked", lastStatus',
  ),
];
