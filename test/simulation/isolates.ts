/** The isolates that run the program: started, killed, held up, and started anew. */
import { platformText } from "../../src/adapters/crypto.ts";
import type { AcceptPorts } from "../../src/flows/accept-event.ts";
import { createAdmission } from "../../src/flows/admit.ts";
import { createDirectory, type Directory } from "../../src/flows/directory.ts";
import { createCommits } from "../../src/flows/enqueue.ts";
import { createFairShares } from "../../src/flows/fair-shares.ts";
import { createGivingWay } from "../../src/flows/giving-way.ts";
import { createHeardChanges } from "../../src/flows/heard-changes.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createProbe } from "../../src/flows/probe.ts";
import { createQueueValves } from "../../src/flows/queue-valves.ts";
import { createReceivers } from "../../src/flows/receivers.ts";
import { releaseParked } from "../../src/flows/release-parked.ts";
import { createTokens } from "../../src/flows/tokens.ts";
import { COUNTERS, type Meter } from "../../src/ports/meter.ts";
import { NO_RESEALS } from "../support/memory-reseals.ts";
import { createMemorySagaJobs } from "../support/memory-saga-jobs.ts";
import { wiredBatches } from "./batch-rows.ts";
import { createGateObjects } from "./gate-objects.ts";
import type { Invocation } from "./invocation.ts";
import { createLife, type Life } from "./life.ts";
import { rememberingCrypto } from "./names.ts";
import {
  wiredArchive,
  wiredDeletions,
  wiredFanOuts,
  wiredGates,
  wiredLedger,
  wiredLimiter,
  wiredOutbox,
  wiredQueues,
  wiredTurns,
} from "./ports.ts";
import { wiredPulls } from "./readers.ts";
import type { Stores } from "./stores.ts";
import { traceLog } from "./trace.ts";
import type { SweepWatch } from "./watch-sweeps.ts";
import { wiredBound, wiredPublisher, wiredTransport } from "./ways-out.ts";

export interface Isolate {
  readonly life: Life;
  readonly accept: AcceptPorts;
  /** The ports of one invocation: they end with it, what the isolate remembers does not. */
  deliver(invocation: Invocation, sweeps?: SweepWatch): DeliverPorts;
}

export interface Isolates {
  /** One of those that live, also if it stands still; null while all are gone. */
  pick(): Isolate | null;
  /** While closed nobody is picked: the engine starts again. */
  isClosed: boolean;
  /** The isolate, or the gate's object that has it. */
  kill(life: Life): void;
  killObjects(): void;
  /** Also the gates' objects. */
  killAll(): void;
  /** An isolate stands still for longer than a lease. */
  holdUp(life: Life): void;
  jumpClocks(): void;
}

const HOUR_MS = 3_600_000;
const KEPT_ALIVE = 2;

const silence = (): void => {};
const NO_METER: Meter = {
  add: silence,
  passed: silence,
  rate: () => 0,
  read: () => Object.fromEntries(COUNTERS.map((name) => [name, 0])) as ReturnType<Meter["read"]>,
};

export function createIsolates(stores: Stores, onKilled: (life: Life) => void): Isolates {
  const { scheduler, chance, trace, weather } = stores;
  let living: Isolate[] = [];
  let started = 0;

  function start(): void {
    started += 1;
    const life = createLife(`isolate ${started}`, scheduler);
    living.push(createIsolate(stores, life));
    trace.note(life.name, "starts");
  }

  function kill(life: Life): void {
    const { isolate } = life;
    if (!isolate.isAlive() || objects.kill(isolate)) return;
    trace.note(isolate.name, "dies");
    isolate.kill();
    living = living.filter((each) => each.life !== isolate);
    onKilled(isolate);
    scheduler.after(chance.between(5, 3_000), null, start);
  }

  for (let count = 0; count < KEPT_ALIVE; count += 1) start();
  const isolates: Isolates = {
    isClosed: false,
    pick() {
      return this.isClosed ? null : (living[chance.between(0, living.length - 1)] ?? null);
    },
    kill,
    killObjects: () => objects.killAll(),
    killAll() {
      for (const { life } of living) kill(life);
      objects.killAll();
    },
    holdUp({ isolate }) {
      const untilMs = scheduler.nowMs() + chance.between(91, 200) * 1_000;
      trace.note(isolate.name, "stands still", () => `${untilMs - scheduler.nowMs()} ms`);
      isolate.standStill(untilMs);
    },
    jumpClocks() {
      const ms = chance.happens(0.5) ? HOUR_MS : -HOUR_MS;
      for (const { life } of living) {
        trace.note(life.name, "clock jumps", () => `${ms} ms`);
        life.jump(ms);
      }
    },
  };
  stores.gates.releaseBy(async (id, count) => {
    const isolate = isolates.pick();
    if (isolate === null) throw new Error("the engine starts again");
    const life = createLife("gate", scheduler, isolate.life);
    const invocation: Invocation = {
      ...{ life, role: "sweep", startedAtMs: scheduler.nowMs(), token: null },
    };
    return releaseParked(id, count, isolate.deliver(invocation));
  });
  const objects = createGateObjects(
    stores,
    (life) => createIsolate(stores, life),
    () => isolates.isClosed,
  );
  stores.fanOuts.runBy(() => isolates.pick());
  return isolates;

  function createIsolate(stores: Stores, life: Life): Isolate {
    const { acceptance } = stores;
    const log = traceLog(stores.trace, life.name);
    const { clock } = life;
    const directory: Directory = createDirectory(
      { load: (id) => stores.wire.call(life, "tenants", "load", () => stores.tenants.load(id)) },
      clock,
    );
    const ledgerProbe = createProbe(clock);
    const named = { isolate: `${life.name}-`, log, meter: NO_METER, random: chance };
    const receivers = createReceivers();
    const tokens = createTokens();
    const queueValves = createQueueValves();
    const fairShares = createFairShares();
    const givingWay = createGivingWay();
    const heardChanges = createHeardChanges();
    const mine = {
      ...{ directory, fairShares, givingWay, heardChanges, ledgerProbe, queueValves },
      ...{ receivers, tokens },
    };
    const common = { ...named, ...mine, clock, defer: silence };
    const pure = { crypto: rememberingCrypto, text: platformText };
    const archive = wiredArchive(stores, life, (key) => stores.removals.storing(life, null, key));
    const limiter = wiredLimiter(stores, life);
    const queues = wiredQueues(stores, life, (packs) => acceptance.offered("queues", packs));
    const outbox = wiredOutbox(stores, life, (packs) => acceptance.offered("outbox", packs));
    const accept: Isolate["accept"] = {
      ...{ ...common, ...pure, archive },
      admission: createAdmission(limiter, clock, log),
      commits: createCommits(weather.mode, { clock, log, outbox, queues, text: platformText }),
    };
    return {
      life,
      accept,
      deliver: (invocation, sweeps) => ({
        ...{ ...common, ...pure, clock: invocation.life.clock },
        archive: wiredArchive(stores, invocation.life, (key) =>
          stores.removals.storing(invocation.life, invocation.startedAtMs, key),
        ),
        batches: async () => wiredBatches(stores, invocation),
        bound: wiredBound(stores, invocation),
        deletions: wiredDeletions(stores, invocation.life),
        fanOuts: wiredFanOuts(stores, invocation.life),
        gates: wiredGates(stores, invocation.life),
        ledger: wiredLedger(stores, invocation, sweeps?.putOff),
        limiter: wiredLimiter(stores, invocation.life),
        outbox: wiredOutbox(stores, invocation.life),
        publisher: wiredPublisher(stores, invocation, accept),
        pulls: async () => wiredPulls(stores, invocation.life),
        queues: wiredQueues(stores, invocation.life, (packs, queue) => {
          stores.queueWatch.offered(invocation, queue);
          return sweeps?.offered(packs) ?? silence;
        }),
        reseals: NO_RESEALS,
        replayers: { overdue: async () => [], wake: async () => {} },
        sagaIndex: stores.sagas.index,
        sagaJobs: createMemorySagaJobs(),
        sagas: stores.sagas,
        transport: wiredTransport(stores, invocation),
        turns: async () => wiredTurns(stores, invocation.life, invocation.life.clock),
      }),
    };
  }
}
