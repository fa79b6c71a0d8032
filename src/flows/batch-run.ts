/**
 * The batches of one target, sent by its gate: it looks at what waits, and sends what is due as the gate's own limits
 * allow, one request for each batch. What it remembers is a hint: the ledger says what is owed.
 */
import { type BatchLimits, joined, nextBatchMs, type Waiting } from "../core/batch/batch.ts";
import { BATCH_GUARD_MS, BATCH_LEASE_MARGIN_MS } from "../core/batch/limits.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { GATE_HORIZON_MS, GATE_TICK_MS } from "../core/gate-limits.ts";
import { timeOrderedId } from "../core/ids.ts";
import { CONNECTIONS_PER_TARGET_MAX } from "../core/limits.ts";
import type { Clock, Random } from "../ports/clock.ts";
import type { GateId, Gates } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";
import { type HeldLease, holdLease } from "./gate-lease.ts";
import type { KeptGate } from "./gate-memory.ts";
import { inTime } from "./in-time.ts";
import type { DueBatch, HeldBatch, Look } from "./send-batch.ts";

/** What it has the ledger, the archive and the network do. */
export interface BatchHands {
  look(id: GateId, limits: BatchLimits): Promise<Look>;
  /** Leases what goes, each of its calls within its time; null when nothing of it can. */
  take(batch: DueBatch): Promise<HeldBatch | null>;
  /** Null when a failure of ours came before the request, or it may not go any more as it was made. */
  send(batch: HeldBatch): Promise<Answer | null>;
}

interface BatchRunPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly hands: BatchHands;
  readonly gate: {
    kept(): KeptGate | null;
    put(waiting: Waiting | undefined): void;
    save(): Promise<void>;
    readonly tell: Gates["tell"];
  };
  defer(work: Promise<void>): void;
}

export interface BatchRun {
  /** Looks, and sends what is due; nobody waits for it. */
  goOn(): void;
}

export function createBatchRun(ports: BatchRunPorts): BatchRun {
  const { clock, log, random, hands, gate, defer } = ports;
  let isLooking = false;
  let isAsked = false;
  let underWay = 0;

  function goOn(): void {
    isAsked = true;
    if (isLooking) guard();
    else {
      isLooking = true;
      defer(lookOn());
    }
  }

  /** Somebody looks already, or will when a batch has ended: the alarm is for a process that dies before. */
  function guard(): void {
    const waiting = gate.kept()?.state.batch ?? NOTHING;
    gate.put({ ...waiting, lookAtMs: clock.nowMs() + BATCH_GUARD_MS });
  }

  async function lookOn(): Promise<void> {
    try {
      while (isAsked) {
        isAsked = false;
        while (await round());
      }
    } catch (error) {
      failed("batch-not-sent", error);
      rest(GATE_TICK_MS);
      await gate.save().catch(() => {}); // the sweeper wakes it
    } finally {
      isLooking = false;
    }
  }

  /** Whether another may follow at once. */
  async function round(): Promise<boolean> {
    const kept = gate.kept();
    const limits = kept?.config.batch;
    if (kept === null || limits === undefined) return false;
    if (underWay >= CONNECTIONS_PER_TARGET_MAX) {
      guard();
      return false;
    }
    gate.put({ ...NOTHING, lookAtMs: clock.nowMs() + BATCH_GUARD_MS });
    const found = await inTime(hands.look(kept.id, limits), ports);
    if (found.kind === "due") return begin(kept.id, found);
    gate.put(found.kind === "closed" ? undefined : waitingNow(found));
    await gate.save();
    return (gate.kept()?.state.batch?.lookAtMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs();
  }

  /** What was found to wait, with what was told of meanwhile: some may be counted twice, so it looks too early. */
  function waitingNow({
    limits,
    count,
    bytes,
    waitedMs,
    nextDueInMs,
  }: Extract<Look, { kind: "waits" }>): Waiting | undefined {
    const nowMs = clock.nowMs();
    const told = gate.kept()?.state.batch;
    const heard = told === undefined || told.count === 0 ? undefined : unguarded(told, limits);
    const all =
      count === 0 ? heard : joined(heard, { count, bytes, sinceMs: nowMs - waitedMs }, limits);
    if (nextDueInMs === null) return all;
    const lookAtMs = nowMs + Math.max(1, nextDueInMs);
    return { ...(all ?? NOTHING), lookAtMs: Math.min(all?.lookAtMs ?? lookAtMs, lookAtMs) };
  }

  async function begin(id: GateId, found: Extract<Look, { kind: "due" }>): Promise<boolean> {
    const { config, priority, isRetry, timeoutMs } = found;
    const name = timeOrderedId("", clock.nowMs(), random.bytes(10));
    const want = isRetry ? { fresh: 0, retries: 1 } : { fresh: 1, retries: 0 };
    const ttlMs = GATE_HORIZON_MS + timeoutMs + BATCH_LEASE_MARGIN_MS;
    const ask = { lease: name, want, priority, isReleased: true, ttlMs };
    const told = { config, report: null, parked: null };
    const lease = holdLease(name, await gate.tell(id, { ...told, ask }), config, clock);
    const waitMs = lease.limit.waitMs();
    if (waitMs === null) {
      rest(Math.max(GATE_TICK_MS, lease.refusal(isRetry).dueInMs), found);
      await reported(id, found, lease);
      await gate.save();
      return false;
    }
    if (waitMs > 0) await clock.timer(waitMs).elapsed;
    lease.limit.take();
    const ended = lease.begin(isRetry);
    let held: HeldBatch | null = null;
    try {
      held = await hands.take(found);
    } finally {
      if (held === null) {
        ended(null);
        await reported(id, found, lease);
      }
    }
    if (held === null) {
      rest(GATE_TICK_MS);
      await gate.save();
      return false;
    }
    underWay += 1;
    defer(finish(id, found, held, lease, ended));
    return true;
  }

  /** Never rejects. */
  async function finish(
    id: GateId,
    found: Extract<Look, { kind: "due" }>,
    held: HeldBatch,
    lease: HeldLease,
    ended: (answer: Answer | null) => void,
  ): Promise<void> {
    const answer = await hands.send(held).catch((error: unknown) => {
      failed("batch-not-sent", error);
      return null;
    });
    ended(answer);
    underWay -= 1;
    if (answer === null) rest(GATE_TICK_MS);
    await reported(id, found, lease);
    if (answer !== null) goOn();
  }

  /** Never rejects: its slots come back with their time. */
  async function reported(id: GateId, { config }: DueBatch, lease: HeldLease): Promise<void> {
    const report = lease.report();
    if (report === null) return; // nothing was granted
    const told = { config, report, parked: null, ask: null };
    await gate.tell(id, told).catch((error: unknown) => failed("gate-unreachable", error));
  }

  /** Nothing is looked at before. */
  function rest(ms: number, { count, bytes, waitedMs }: Partial<DueBatch> = {}): void {
    const nowMs = clock.nowMs();
    const known = gate.kept()?.state.batch ?? NOTHING;
    const notBeforeMs = nowMs + ms;
    gate.put({
      count: count ?? known.count,
      bytes: bytes ?? known.bytes,
      sinceMs: waitedMs === undefined ? known.sinceMs : nowMs - waitedMs,
      ...{ notBeforeMs, lookAtMs: notBeforeMs },
    });
  }

  function failed(message: string, error: unknown): void {
    const { tenant = "", target = "" } = gate.kept()?.id ?? {};
    log.warn(message, { gate: `${tenant}/${target}`, error: errorText(error) });
  }

  return { goOn };
}

const NOTHING: Waiting = { count: 0, bytes: 0, sinceMs: 0, lookAtMs: 0, notBeforeMs: 0 };

/** What was told of alone. */
function unguarded(told: Waiting, limits: BatchLimits): Waiting {
  const own = { ...told, notBeforeMs: 0 };
  return { ...own, lookAtMs: nextBatchMs(own, limits) };
}
