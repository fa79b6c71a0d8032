/** Bugs to plant into the way of an event, and all others that the runs of all flows together must catch. */

import { PLANTED_IN_BATCHES } from "./planted-batches.ts";
import { bug, type PlantedBug } from "./planted-bug.ts";
import { PLANTED_IN_CHANGES } from "./planted-changes.ts";
import { PLANTED_IN_KINDS } from "./planted-kinds.ts";
import { PLANTED_BY_OPERATORS } from "./planted-operators.ts";

const ACCEPT = "src/flows/accept-event.ts";
const BATCH = "src/flows/deliver-batch.ts";
const PORTION = "src/flows/deliver-portion.ts";
const ATTEMPTS = "src/flows/attempt-all.ts";
const CLAIM = "src/flows/claim.ts";
const COMMIT = "src/core/enqueue/group-commit.ts";
const DELIVER = "src/flows/deliver.ts";
const ENQUEUE = "src/flows/enqueue.ts";
const LEDGER = "test/support/memory-ledger.ts";
const OPEN = "src/flows/open-messages.ts";
const PAGE = "src/flows/fan-out-page.ts";
const PARKED = "test/support/memory-parked.ts";
const SHARD = "src/flows/outbox-shard.ts";
const SWEEP = "src/flows/sweep.ts";

export const PLANTED: readonly PlantedBug[] = [
  {
    name: "a message is acknowledged before its results are written",
    edits: [
      {
        file: BATCH,
        find: "  try {\n    if (opened.events.length === 0) return;",
        replace:
          "  await answerMessages(role, opened.messages, ports);\n  try {\n    if (opened.events.length === 0) return;",
      },
      {
        file: BATCH,
        find: "  await answerMessages(role, [...worked, ...rest], ports);\n",
        replace: "  await answerMessages(role, rest, ports);\n",
      },
    ],
  },
  bug(
    "202 comes before the outbox has answered",
    ENQUEUE,
    'if (mode === "always") return toOutbox(priority, items, ports);',
    'if (mode === "always") return void toOutbox(priority, items, ports).catch(() => {});',
  ),
  bug(
    "202 comes before the queue has answered",
    ENQUEUE,
    "await within(sending, QUEUE_SEND_TIMEOUT_MS, ports.clock, late);",
    "within(sending, QUEUE_SEND_TIMEOUT_MS, ports.clock, late).catch(() => {});",
  ),
  bug(
    "a queue that hangs is waited for",
    ENQUEUE,
    "await within(sending, QUEUE_SEND_TIMEOUT_MS, ports.clock, late);",
    "await sending;",
  ),
  bug(
    "the outbox does not take what the queue refuses",
    ENQUEUE,
    "    await toOutbox(priority, items, ports);\n  }\n}",
    "    throw error;\n  }\n}",
  ),
  bug(
    "a queue that forgets counts as a store",
    ENQUEUE,
    'if (mode === "always") return toOutbox(priority, items, ports);',
    'if (mode === "always") return toOutbox(priority, items, ports).catch(() => ports.queues.send(priority, packed(items, ports)));',
  ),
  bug(
    "of a group commit only the first event is kept",
    COMMIT,
    "await options.commit(group.map((waiter) => waiter.item));",
    "await options.commit(group.slice(0, 1).map((waiter) => waiter.item));",
  ),
  bug(
    "a group commit that failed is taken for done",
    COMMIT,
    "for (const waiter of group) waiter.done.reject(reason);",
    "for (const waiter of group) waiter.done.resolve(reason as undefined);",
  ),
  bug(
    "an event's id comes from its receipt",
    ACCEPT,
    "id: eventId(identity, ports.crypto, ports.text),",
    "id: eventId({ ...identity, key: context.receipt }, ports.crypto, ports.text),",
  ),
  bug(
    "demoted events lose their subscriptions",
    ACCEPT,
    "demoted ? demote(matched) : matched",
    "demoted ? demote(matched).slice(0, 0) : matched",
  ),
  bug(
    "a settle needs no token",
    LEDGER,
    'claimedBy === "event"\n        ? events.get(result.event)?.token === token &&',
    'claimedBy === "event"\n        ? true ||',
  ),
  bug("a lease never ends", LEDGER, "row.leaseUntilMs >= now && row.token", "row.token"),
  bug(
    "a lease keeps nobody out",
    LEDGER,
    "row.leaseUntilMs >= now && row.token !== token",
    "row.leaseUntilMs < 0",
  ),
  bug(
    "leases end by the clock of a Worker",
    "test/simulation/stores.ts",
    "const ledger = createMemoryLedger(clock, tenants);",
    "const ledger = createMemoryLedger({ ...clock, nowMs: () => clock.nowMs() + (Math.floor(clock.nowMs() / 45_000) % 2) * 3_600_000 }, tenants);",
  ),
  bug(
    "the same receipt again is taken for a copy",
    LEDGER,
    "if (row.receipt !== first.receipt) return",
    "if (row.token !== token) return",
  ),
  bug(
    "an event that another works on is acknowledged",
    CLAIM,
    "if (unfinished) retryLater(",
    "if (unfinished && Number.isNaN(0)) retryLater(",
  ),
  bug(
    "deliveries that are done are made again when a message comes again",
    CLAIM,
    ".filter((duty) => !verdict.done.has(duty.subscription));",
    ".filter(() => true);",
  ),
  bug(
    "work goes on when the lease is about to end",
    ATTEMPTS,
    "const isTooLate = ports.clock.nowMs() + timeoutMs > deadlineMs;",
    "const isTooLate = deadlineMs < 0;",
  ),
  bug(
    "an attempt that its batch does not wait for leaves no row",
    ATTEMPTS,
    'if (duty.claimedBy === "event") {',
    'if (duty.claimedBy !== "row" && role === "dead") {',
  ),
  bug(
    "an attempt under way is made once more before it has had its time",
    "src/flows/late-attempts.ts",
    "dueInMs: timeoutMs + LEASE_MARGIN_MS,",
    "dueInMs: -timeoutMs - LEASE_MARGIN_MS,",
  ),
  bug(
    "an old message claims a newer attempt",
    LEDGER,
    "row === undefined || row.attempts !== again.attempts",
    "row === undefined",
  ),
  bug(
    "what could not be written is acknowledged",
    PORTION,
    "if ([...unwritten].some(",
    "if ([...unwritten].slice(0, 0).some(",
  ),
  bug(
    "a batch is acknowledged although the ledger is down",
    BATCH,
    "for (const open of opened.messages) tryAgainLater(open);",
    "",
  ),
  bug(
    "a retry is written before its bytes rest in the archive",
    PORTION,
    'if (!isKept && result.state !== "delivered") return;',
    "",
  ),
  bug(
    "what is delivered counts as archived",
    PORTION,
    "settler.add(isKept ? result : { ...result, isUnplaced: true }, last);",
    "settler.add(result, last);",
  ),
  bug(
    "what is delivered is acknowledged before its bytes rest",
    "src/flows/give-back.ts",
    "(kept[at] ? [] : [held])",
    "(kept.length > at ? [] : [held])",
  ),
  bug(
    "all is done of an event that another works on, and its bytes rest nowhere",
    CLAIM,
    "|| unrecorded || isUnplaced;",
    "|| unrecorded;",
  ),
  bug(
    "a claim moves what is settled to a place that it may never fill",
    LEDGER,
    "const pointer = done.size === 0 ? first.pointer : row.pointer;",
    "const { pointer } = first;",
  ),
  bug(
    "where unplaced bytes rest is not written down",
    "src/flows/keep-segments.ts",
    "if (unplaced.length === 0) return;",
    "if (unplaced.length >= 0) return;",
  ),
  bug(
    "a failure of the archive counts as an attempt",
    DELIVER,
    "errorText(error) });\n    return null;",
    'errorText(error) });\n    answer = { kind: "network", detail: "the archive" };',
  ),
  bug(
    "any answer counts as delivered",
    "src/core/deliver/outcome.ts",
    "answer.status >= 200 && answer.status < 300) {",
    "answer.status >= 200) {",
  ),
  bug(
    "Retry-After is ignored",
    "src/core/deliver/retry.ts",
    "Math.round(Math.max(jittered, asked))",
    "Math.round(jittered)",
  ),
  bug(
    "a retry has no due time",
    DELIVER,
    'dueInMs: outcome.state === "retrying" ? outcome.delayMs : null,',
    "dueInMs: null,",
  ),
  bug(
    "each attempt has its own webhook-id",
    DELIVER,
    "deliveryId: duty.id,",
    "deliveryId: duty.id + duty.attempts,",
  ),
  bug(
    "events that no rule wanted are not recorded",
    PORTION,
    "for (const event of claimed.unmatched) {",
    "for (const event of claimed.unmatched.slice(0, 0)) {",
  ),
  bug(
    "suppressed copies are not recorded",
    PORTION,
    "await settler.finish(claimed.duplicates);",
    "await settler.finish([]);",
  ),
  bug(
    "dead messages are acknowledged and forgotten",
    BATCH,
    "if (opened.events.length === 0) return;",
    'if (opened.events.length === 0 || role === "dead") return;',
  ),
  bug(
    "a message that nobody can read is tried for ever",
    OPEN,
    "if (!decoded.ok) await keepPoison(open, decoded.reason, ports);",
    "if (!decoded.ok) retryLater(open, 60);",
  ),
  bug(
    "the outbox forgets what the queue has taken",
    SHARD,
    "await within(queues.send(priority, packs), QUEUE_SEND_TIMEOUT_MS, clock, late);",
    "await within(queues.send(priority, packs), QUEUE_SEND_TIMEOUT_MS, clock, late);\n      rows.remove(kept.map(({ origin }) => origin.row));",
  ),
  bug(
    "the sweeper leaves the outbox alone",
    SWEEP,
    "swept.relayed = await inTime(ports.outbox.wake(), ports, OUTBOX_LATE);",
    "swept.relayed = 0;",
  ),
  bug(
    "the sweeper does not see deliveries whose consumer died",
    "test/support/memory-row-states.ts",
    'state === "pending" || state === "delivering" || state === "retrying";',
    'state === "pending" || state === "retrying";',
  ),
  bug(
    "what the sweeper sends is due again at once",
    "src/flows/revive.ts",
    "if (sent.length > 0) await ports.ledger.putOff(sent, putOffMs);",
    "",
  ),
  bug(
    "putting off renews a lease that has ended",
    LEDGER,
    'const state = row.state === "delivering" ? "pending" : row.state;',
    "const { state } = row;",
  ),
  bug(
    "what is parked after its target was opened stays parked",
    LEDGER,
    'const isClosures = rest.state === "parked" &&',
    "const isClosures = rest.state !== rest.state &&",
  ),
  bug(
    "parked deliveries are not released",
    LEDGER,
    ': { state: "pending", dueAtMs: 0, lastError: null };',
    ": {};",
  ),
  bug(
    "the sweeper leaves what gates have parked alone",
    "src/flows/sweep.ts",
    "await ports.gates.wake(id, target?.gate ?? null);",
    "",
  ),
  bug(
    "what a gate lets go is owed by nobody until its message comes",
    PARKED,
    'change(key, () => ({ state: "pending", dueAtMs: clock.nowMs() + GATE_RELEASE_MS }));',
    'change(key, () => ({ state: "pending", dueAtMs: null }));',
  ),
  bug(
    "a page of a fan-out is written down before it is sent",
    PAGE,
    "await enqueueAll(",
    "await fanOuts.advance(at, fanOut.rev, { sent: fanOut.sent + records.length, offset });\n  await enqueueAll(",
  ),
  bug(
    "a page of a fan-out is written down although a store refused it",
    PAGE,
    "await enqueueAll(records, (at) => elements[at], ports);",
    "await enqueueAll(records, (at) => elements[at], ports).catch(() => {});",
  ),
  bug(
    "the next page of a fan-out begins where this one did",
    PAGE,
    "offset = fanOut.offset + taken;",
    "offset = fanOut.offset + taken * 0;",
  ),
  bug(
    "the index is missing in the id of an element",
    "src/core/fan-out/element.ts",
    "return prefixOf(fanOut, tools) + indexText(index);",
    "return prefixOf(fanOut, tools) + indexText(index * 0);",
  ),
  bug(
    "the sweeper leaves fan-outs alone",
    SWEEP,
    "await ports.fanOuts.wake(fanOut);",
    "void fanOut;",
  ),
  bug(
    "a list counts as fanned out although nothing is begun",
    "src/flows/begin-fan-out.ts",
    "await ports.fanOuts.create({",
    "void ports.fanOuts.create({",
  ),
  ...PLANTED_IN_BATCHES,
  ...PLANTED_IN_KINDS,
  ...PLANTED_BY_OPERATORS,
  ...PLANTED_IN_CHANGES,
];
