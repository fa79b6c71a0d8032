/** Bugs to plant into targets of kinds event, queue, service and pull. */
import { bug, type PlantedBug } from "./planted-bug.ts";

const AS_EVENT = "src/flows/deliver-as-event.ts";
const BINDING = "src/flows/deliver-to-binding.ts";
const KEEP = "src/flows/keep-parked.ts";
const PUBLISH = "src/flows/publish-event.ts";
const PULL = "src/flows/pull.ts";
const PULLS = "test/support/memory-pulls.ts";

export const PLANTED_IN_KINDS: readonly PlantedBug[] = [
  bug(
    "what is published twice is two events",
    PUBLISH,
    "source: origin === undefined ? source : BY_TARGET, key },",
    "source: origin === undefined ? source : BY_TARGET, key: key + receivedAtMs },",
  ),
  bug(
    "an event counts as published before a store has it",
    PUBLISH,
    "await enqueue(routed, body, ports);",
    "void enqueue(routed, body, ports).catch(() => {});",
  ),
  bug(
    "a circle of published events goes on",
    PUBLISH,
    "if (hops > SAGA_HOPS_MAX) {",
    "if (hops > 2 * SAGA_HOPS_MAX) {",
  ),
  bug(
    "a published event forgets how far it has come",
    AS_EVENT,
    "hops: (record.hops ?? 0) + 1 },",
    "hops: 1 },",
  ),
  bug(
    "each attempt to a binding has a delivery id of its own",
    BINDING,
    "cloudEventOf({ record, deliveryId, rule,",
    "cloudEventOf({ record, deliveryId: deliveryId + attempt, rule,",
  ),
  bug(
    "what a queue did not take counts as taken",
    BINDING,
    "? ports.bound.enqueue(target.queue, message, timeoutMs)",
    '? ports.bound.enqueue(target.queue, message, timeoutMs).then((): Answer => ({ kind: "response", status: 200, retryAfterMs: null, body: "" }))',
  ),
  bug(
    "a delivery that waits for its reader has no time",
    "src/flows/decide-delivery.ts",
    '...recorded(duty, "parked", why), dueInMs: 0 }',
    '...recorded(duty, "parked", why) }',
  ),
  bug(
    "a reader gets what another has leased meanwhile",
    PULL,
    "const own = wanted.filter((each) => leased.has(keyOf(each)));",
    "const own = wanted.filter(() => leased.size >= 0);",
  ),
  bug(
    "a delivery is leased once more than may be",
    "src/core/pull/pull.ts",
    "tries >= attemptsMax;",
    "tries > attemptsMax;",
  ),
  bug(
    "what is too much is given up in a reader's hands",
    KEEP,
    "await pulls.bury(excess, by, reason);",
    "await pulls.bury(excess, GATE, reason);",
  ),
  bug(
    "a lease keeps no other reader out",
    PULLS,
    'row.state === "parked" && isDue(row) && row.attempts === attempts,',
    'row.state === "parked" && attempts >= 0,',
  ),
  bug(
    "an answer needs no lease",
    PULLS,
    "row.dueAtMs !== null && row.token === token;",
    "row.dueAtMs !== null && token !== row.event;",
  ),
  bug(
    "a reader that dies keeps what it has",
    PULLS,
    "dueAtMs: clock.nowMs() + leaseMs, attempts",
    "dueAtMs: clock.nowMs() + 1_000 * leaseMs, attempts",
  ),
  bug(
    "what a reader gives back is ready at once",
    PULLS,
    "dueAtMs: clock.nowMs() + delayMs, lastError",
    "dueAtMs: clock.nowMs(), lastError",
  ),
];
