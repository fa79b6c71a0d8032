/**
 * The sweeper: what the ledger still owes and no message carries any more is sent again. Messages and
 * alarms are hints; this pass over the ledger is the guarantee.
 */

import { REPLAY_SWEEP_PAGE, REPLAY_SWEEP_SEEN_MAX } from "../core/archive-limits.ts";
import {
  FANOUT_FORGOTTEN_MAX,
  FANOUT_SWEEP_PAGE,
  FANOUT_SWEEP_SEEN_MAX,
} from "../core/fan-out/limits.ts";
import { halfInTurn, inTurn } from "../core/gate/index.ts";
import { PARKED_TARGETS_MAX, PARKED_TARGETS_SEEN_MAX } from "../core/gate/limits.ts";
import { OPENINGS_MAX, SWEEP_GRACE_MS } from "../core/limits.ts";
import { DELETIONS_MAX } from "../core/operator-limits.ts";
import {
  SAGA_JOBS_MAX,
  SAGA_NEVER_BEGUN_MS,
  SAGA_RECOVER_PAGE,
  SAGA_STARTING_MS,
  SAGA_SWEEP_PAGE,
  SAGA_SWEEP_SEEN_MAX,
} from "../core/saga/limits.ts";
import { errorText } from "../ports/log.ts";
import { inTime } from "./in-time.ts";
import { GATED_CLOSED, keepBatched, keepClosed, keepGated, keepPulled } from "./keep-parked.ts";
import { sweepTurns } from "./pass-turns.ts";
import type { DeliverPorts } from "./ports.ts";
import { type Revived, revive } from "./revive.ts";
import { wakeEach } from "./wake.ts";

/** Not a schedule: how the local engine says that it restarted and its queues have lost everything. */
export const RECOVER_CRON = "@recover";

/** A relay whose queues all hang ends by itself after half of that time. */
const OUTBOX_LATE = "a shard of the outbox did not answer in time";

export interface Swept extends Readonly<Revived> {
  /** Packs that the outbox kept although an alarm should have sent them. */
  readonly relayed: number;
  /** Parked deliveries whose target was opened or deleted, and whose release was not finished. */
  readonly released: number;
  /** Deliveries that were parked for too long, for a gate, a reader or a closed target: dead letters now. */
  readonly buried: number;
  /** Deliveries whose turn had come, and whom nobody called. */
  readonly turns: number;
  /** Instances of sagas that had not woken by themselves. */
  readonly sagas: number;
  /** Instances of sagas that had their turn in a command to many. */
  readonly commanded: number;
  /** Replays that had not gone on by themselves. */
  readonly replays: number;
  /** Fan-outs that had not gone on by themselves. */
  readonly fanOuts: number;
  /** Fan-outs that ended so long ago that nothing of them is left but their row. */
  readonly forgotten: number;
  /** Rows of an expired generation that went, and those kept because something is still owed. */
  readonly dropped: number;
  readonly carried: number;
  /** Deliveries and objects of deleted tenants. */
  readonly removed: number;
  /** Resources whose secrets were sealed anew. */
  readonly resealed: number;
}

export type SweepScope =
  /** What is overdue although the queue had its time to bring it. */
  | "overdue"
  /** Everything owed soon, because the messages that carried it are known to be gone. */
  | "all-due";

/** One bounded pass. Never rejects: a part that fails is logged, and the others have their turn. */
export async function sweep(scope: SweepScope, ports: DeliverPorts): Promise<Swept> {
  const swept = {
    ...{
      relayed: 0,
      released: 0,
      buried: 0,
      revived: 0,
      unreadable: 0,
      turns: 0,
      sagas: 0,
      commanded: 0,
      replays: 0,
      fanOuts: 0,
      forgotten: 0,
      dropped: 0,
      carried: 0,
      removed: 0,
      resealed: 0,
    },
    complete: true,
  };
  // A pass a minute: each goes on where the one before stopped.
  const turn = Math.floor(ports.clock.nowMs() / 60_000);
  async function part(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      swept.complete = false;
      ports.log.error("sweep-failed", { scope, part: name, error: errorText(error) });
    }
  }
  await part("outbox", async () => {
    swept.relayed = await inTime(ports.outbox.wake(), ports, OUTBOX_LATE);
  });
  await part("parked", async () => {
    for (const { tenant, target } of await ports.ledger.openings(OPENINGS_MAX)) {
      swept.released += await ports.ledger.release(tenant, target);
    }
  });
  await part("gates", async () => {
    const found = await ports.ledger.parkedTargets(PARKED_TARGETS_SEEN_MAX);
    const gated = inTurn(found, PARKED_TARGETS_MAX, turn);
    await wakeEach(
      gated,
      async (id) => {
        // Its limits as they are: those that its gate remembers may have been lifted since.
        const target = (await ports.directory.refresh(id.tenant))?.targets.get(id.target);
        if (target?.other?.kind === "pull") {
          const buried = await keepPulled(id, target.other, ports);
          swept.buried += buried;
          return;
        }
        const keep = target?.gate.batch === undefined ? keepGated : keepBatched;
        const buried = await keep(id, ports, target?.closed ? GATED_CLOSED : undefined);
        swept.buried += buried;
        await ports.gates.wake(id, target?.gate ?? null);
      },
      ports.clock,
    );
  });
  await part("closed", async () => {
    swept.buried += await keepClosed(turn, ports);
  });
  await part("due", () => revive(scope, swept, ports));
  await part("turns", async () => {
    swept.turns = await sweepTurns(ports);
  });
  await part("sagas", () => wakeSagas(scope, turn, swept, ports));
  await part("replays", async () => {
    const found = await ports.replayers.overdue(REPLAY_SWEEP_SEEN_MAX);
    await wakeEach(
      halfInTurn(found, REPLAY_SWEEP_PAGE, turn, ({ tenant, id }) => `${tenant}/${id}`),
      async (replay) => {
        await ports.replayers.wake(replay);
        swept.replays += 1;
      },
      ports.clock,
    );
  });
  await part("fan-outs", async () => {
    const found = await ports.fanOuts.overdue(FANOUT_SWEEP_SEEN_MAX);
    await wakeEach(
      halfInTurn(found, FANOUT_SWEEP_PAGE, turn, ({ tenant, id }) => `${tenant}/${id}`),
      async (fanOut) => {
        await ports.fanOuts.wake(fanOut);
        swept.fanOuts += 1;
      },
      ports.clock,
    );
  });
  await part("ended-fan-outs", async () => {
    swept.forgotten = await ports.fanOuts.forget(FANOUT_FORGOTTEN_MAX);
  });
  await part("generations", async () => {
    // Once a generation it does something; otherwise it costs one read.
    const expired = await ports.ledger.expire(ports.clock.nowMs());
    swept.dropped = expired?.dropped ?? 0;
    swept.carried = expired?.carried ?? 0;
  });
  await part("jobs", async () => {
    const deletions = await ports.deletions.running(DELETIONS_MAX);
    if (deletions.length === 0) return;
    const { removeTenants } = await import("./delete-tenant.ts");
    const { removed, complete } = await removeTenants(deletions, scope === "all-due", ports);
    swept.removed = removed;
    if (!complete) swept.complete = false;
  });
  await part("saga-jobs", async () => {
    const jobs = await ports.sagaJobs.running(SAGA_JOBS_MAX);
    if (jobs.length === 0) return;
    const { commandSagas } = await import("./command-sagas.ts");
    const { commanded, complete } = await commandSagas(jobs, ports);
    swept.commanded = commanded;
    if (!complete) swept.complete = false;
  });
  await part("reseal", async () => {
    const running = await ports.reseals.running();
    if (running === null) return;
    const { reseal } = await import("./reseal.ts");
    swept.resealed = await reseal(running, ports);
  });
  const { complete, ...counts } = swept;
  if (Object.values(counts).some((count) => count > 0))
    ports.log.info("swept", { scope, ...swept });
  return swept;
}

/** Instances that their alarm should have woken; what never began is asked, and forgotten in the end. */
async function wakeSagas(
  scope: SweepScope,
  turn: number,
  swept: { sagas: number },
  ports: DeliverPorts,
): Promise<void> {
  const nowMs = ports.clock.nowMs();
  // Whoever was about to start one, or to forget that it had been started before, is gone as well.
  const found = await (scope === "overdue"
    ? ports.sagaIndex.overdue(nowMs - SWEEP_GRACE_MS, SAGA_SWEEP_SEEN_MAX)
    : ports.sagaIndex.overdue(nowMs + SAGA_STARTING_MS + 1, SAGA_RECOVER_PAGE));
  // Those that never began or do not answer stay overdue, and longest: they hold up no other.
  const overdue =
    scope === "overdue" ? halfInTurn(found, SAGA_SWEEP_PAGE, turn, ({ id }) => id) : found;
  await wakeEach(
    overdue,
    async ({ isStarting, ...entry }) => {
      const begunAtMs = await ports.sagas.wake(entry.id);
      if (begunAtMs === entry.startedAtMs) swept.sagas += 1;
      // It had begun already when it was started once more; or it never has. Objects of before say less: it stays.
      else if (
        typeof begunAtMs === "number" ||
        (begunAtMs === null && isStarting && entry.startedAtMs < nowMs - SAGA_NEVER_BEGUN_MS)
      )
        await ports.sagaIndex.forget(entry);
    },
    ports.clock,
  );
}

/**
 * After everything that was under way is known to be gone, but for what this isolate has begun since: leases
 * end, and all that is owed goes out.
 */
export async function recoverAll(ports: DeliverPorts): Promise<void> {
  await ports.ledger.recover(ports.isolate);
  try {
    await inTime(ports.outbox.recover(), ports, OUTBOX_LATE);
  } finally {
    await sweep("all-due", ports);
  }
}
