/** One portion of a batch: claim, deliver, settle. A failing part is retried alone. */
import { Retryable } from "../core/errors.ts";
import { LEASE_MARGIN_MS, LEASE_SECONDS, LEDGER_TIMEOUT_MS } from "../core/limits.ts";
import { settleGroupMax } from "../core/settle.ts";
import type { Tenant } from "../core/tenant.ts";
import { keyOf } from "../ports/claim.ts";
import { within } from "../ports/clock.ts";
import type { DeliveryResult } from "../ports/ledger.ts";
import { attemptAll } from "./attempt-all.ts";
import type { ListDuty } from "./begin-fan-out.ts";
import { type Claimed, claimBatch } from "./claim.ts";
import { decideDelivery, unmatchedResult } from "./decide-delivery.ts";
import type { Invocation, QueueRole } from "./deliver-batch.ts";
import { waitedMs } from "./fair-shares.ts";
import { followChanges } from "./follow-changes.ts";
import type { GatedDuty } from "./gate-session.ts";
import { giveBack, keptFrom, putBack, unkeptOf } from "./give-back.ts";
import { keepSegments } from "./keep-segments.ts";
import { settleLate } from "./late-attempts.ts";
import { type HeldEvent, type OpenedBatch, retryLater, tryAgainLater } from "./open-messages.ts";
import { passTurns } from "./pass-turns.ts";
import type { DeliverPorts } from "./ports.ts";
import { type Settled, sendAgain } from "./send-again.ts";
import { createSettler } from "./settle.ts";
import { withPlace } from "./take-turns.ts";
import { tellBatches } from "./tell-batches.ts";

/** Throws when nothing could be claimed or begun: then nothing is owned. Else each message is marked, or is done. */
export async function deliverPortion(
  role: QueueRole,
  opened: OpenedBatch,
  invocation: Invocation,
  ports: DeliverPorts,
): Promise<void> {
  const deadlineMs = ports.clock.nowMs() + LEASE_SECONDS * 1_000 - LEASE_MARGIN_MS;
  if (!ports.ledgerProbe.mayAsk()) throw new Retryable("the ledger did not answer just now");
  const claimed = await claimBatch(opened, ports).catch((error: unknown) => {
    ports.ledgerProbe.failed();
    throw error;
  });
  ports.ledgerProbe.answered();
  ports.queueValves.learn(claimed.controls);
  const control = role === "dead" ? null : ports.queueValves.of(role);
  if (control?.isPaused === true) return putBack(opened, claimed, ports);
  ports.meter.add("events_duplicate", claimed.duplicates.length);
  const changes = followChanges(role, claimed.revisions, deadlineMs, ports);
  const tenants = await tenantsOf(opened, claimed, ports).catch(async (error: unknown) => {
    changes.end();
    await putBack(opened, claimed, ports); // nobody waits for the end of a lease that is of no use
    throw error;
  });
  const keptOf = keepSegments(claimed, ports);
  const waited = waitedMs(opened.messages, control?.delaySeconds ?? 0, ports.clock.nowMs());
  const results = claimed.duties.length + claimed.unmatched.length;
  invocation.resultsMax = Math.max(invocation.resultsMax, results);
  const settler = createSettler(claimed.token, settleGroupMax(invocation.resultsMax), ports);
  const settled: Settled[] = [];

  /**
   * The ledger promises nothing whose bytes do not rest. What was delivered is written down all the same,
   * and that the bytes are still to come.
   */
  async function settle(held: HeldEvent, result: DeliveryResult, last: boolean): Promise<void> {
    const isKept = await keptOf(held);
    if (!isKept && result.state !== "delivered") return;
    settled.push({ held, result });
    settler.add(isKept ? result : { ...result, isUnplaced: true }, last);
  }

  const settling: Promise<void>[] = [];
  const ready: GatedDuty[] = [];
  const lists: ListDuty[] = [];
  for (const duty of claimed.duties) {
    const decided = decideDelivery(duty, role, tenants, claimed.cancelledFanOuts);
    if (decided.kind === "attempt") ready.push({ duty, outgoing: decided.outgoing });
    else if (decided.kind === "fan-out") lists.push({ duty, rule: decided.rule });
    else {
      const result = withPlace(decided.result, duty, tenants, ports);
      settling.push(settle(duty.held, result, false));
    }
  }
  for (const event of claimed.unmatched) {
    settling.push(settle(event, unmatchedResult(event.record), false));
  }

  if (lists.length > 0) {
    const { beginFanOuts } = await import("./begin-fan-out.ts");
    settling.push(beginFanOuts(lists, deadlineMs, keptOf, settle, ports));
  }

  const { late, turns, gates } = await attemptAll(
    ready,
    { role, invocation, deadlineMs, waited, claimed, changes, keptOf, settler, settle },
    ports,
  );
  changes.end();
  await Promise.all(settling);

  const { unwritten, reopened } = await settler.finish(claimed.duplicates);
  for (const event of opened.events) {
    if ([...unwritten].some((key) => key.startsWith(`${event.record.id} `))) {
      tryAgainLater(event.open);
    }
  }
  const unkept = await unkeptOf(claimed, keptOf);
  const written: Settled[] = [];
  const writtenKeys = new Set<string>();
  for (const each of settled) {
    const key = keyOf(each.result);
    if (unwritten.has(key)) continue;
    written.push(reopened.has(key) ? owedAtOnce(each) : each);
    writtenKeys.add(key);
  }
  const kept = keptFrom(late, writtenKeys, turns.claimed);
  const isGivenBack = await giveBack(turns.claimed, kept, unkept, ports);
  for (const { open } of unkept) {
    if (isGivenBack) tryAgainLater(open);
    else retryLater(open, LEASE_SECONDS + 1);
  }
  ports.defer(gates.close());
  for (const each of late) {
    const isWritten = writtenKeys.has(keyOf(each.duty)) || each.duty.claimedBy === "row";
    ports.defer(settleLate(each, isWritten, claimed.token, ports));
  }
  ports.defer(tellBatches(written, tenants, ports));
  await sendAgain(written, ports);
  ports.defer(passTurns(turns.keys, ports));
}

const owedAtOnce = ({ held, result }: Settled): Settled => {
  return { held, result: { ...result, state: "pending", dueInMs: 0 } };
};

const late = () => new Retryable("a tenant was not read in time");

async function tenantsOf(
  opened: OpenedBatch,
  claimed: Claimed,
  ports: DeliverPorts,
): Promise<Map<string, Tenant | null>> {
  const ids = [...new Set(opened.events.map((event) => event.record.tenant))];
  const tenants = await Promise.all(
    ids.map(async (id): Promise<[string, Tenant | null]> => {
      const revision = claimed.revisions.get(id);
      if (revision === undefined) return [id, null];
      const reading = ports.directory.at(id, revision);
      return [id, await within(reading, LEDGER_TIMEOUT_MS, ports.clock, late)];
    }),
  );
  return new Map(tenants);
}
