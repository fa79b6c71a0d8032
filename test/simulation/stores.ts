/** What outlives every isolate of a run: the stores in memory, the receivers, and what watches them. */
import { platformText } from "../../src/adapters/crypto.ts";
import type { QueueRole } from "../../src/flows/deliver-batch.ts";
import type { Batches } from "../../src/ports/batches.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Pulls } from "../../src/ports/pulls.ts";
import "../support/loaded.ts";
import {
  createMemoryArchive,
  createMemoryListing,
  type MemoryArchive,
} from "../support/memory-archive.ts";
import { createMemoryBatches } from "../support/memory-batches.ts";
import { createMemoryDeletions, type MemoryDeletions } from "../support/memory-deletions.ts";
import { createMemoryFanOuts } from "../support/memory-fan-outs.ts";
import { createMemoryGates, type MemoryGates } from "../support/memory-gates.ts";
import { createMemoryLedger, type MemoryLedger } from "../support/memory-ledger.ts";
import { createMemoryLimiter, type MemoryLimiter } from "../support/memory-limiter.ts";
import { createMemoryPulls } from "../support/memory-pulls.ts";
import { createMemoryQueues, type MemoryQueues } from "../support/memory-queues.ts";
import { createMemorySagas, type MemorySagas } from "../support/memory-sagas.ts";
import { createMemoryTenants, type MemoryTenants } from "../support/memory-tenants.ts";
import type { Chance } from "./chance.ts";
import { createSimulatedFanOuts, type SimulatedFanOuts } from "./fan-outs.ts";
import { createLife } from "./life.ts";
import { createSimulatedOutbox, type SimulatedOutbox } from "./outbox.ts";
import { createReceivers, type Receivers } from "./receivers.ts";
import type { Scenario } from "./scenario.ts";
import type { Scheduler } from "./scheduler.ts";
import { type Trace, traceLog } from "./trace.ts";
import type { Violations } from "./violations.ts";
import { type AcceptanceWatch, createAcceptanceWatch } from "./watch-acceptance.ts";
import { type AttemptWatch, createAttemptWatch } from "./watch-attempts.ts";
import { type BatchWatch, createBatchWatch } from "./watch-batches.ts";
import { type ClaimWatch, createClaimWatch } from "./watch-claims.ts";
import { createClosureWatch } from "./watch-closures.ts";
import { createFanOutWatch, type FanOutWatch } from "./watch-fan-outs.ts";
import { createPullWatch, type PullWatch } from "./watch-pulls.ts";
import { createQueueWatch, type QueueWatch } from "./watch-queues.ts";
import { createRemovalWatch, type RemovalWatch } from "./watch-removals.ts";
import type { Weather } from "./weather.ts";
import { createWire, type Wire } from "./wire.ts";

export interface Stores {
  readonly archive: MemoryArchive;
  readonly deletions: MemoryDeletions;
  readonly fanOuts: SimulatedFanOuts;
  readonly gates: MemoryGates;
  readonly ledger: MemoryLedger;
  readonly limiter: MemoryLimiter;
  readonly outbox: SimulatedOutbox;
  readonly pulls: Pulls;
  readonly pullWatch: PullWatch;
  readonly queues: MemoryQueues;
  readonly sagas: MemorySagas;
  readonly tenants: MemoryTenants;
  readonly receivers: Receivers;
  readonly wire: Wire;
  readonly acceptance: AcceptanceWatch;
  readonly attempts: AttemptWatch;
  readonly batches: Batches;
  readonly batchWatch: BatchWatch;
  readonly claims: ClaimWatch;
  readonly fanOutWatch: FanOutWatch;
  readonly queueWatch: QueueWatch;
  readonly removals: RemovalWatch;
  readonly violations: Violations;
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly chance: Chance;
  readonly trace: Trace;
}

export interface StoresOptions {
  readonly scenario: Scenario;
  readonly scheduler: Scheduler;
  readonly weather: Weather;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly violations: Violations;
  readonly onVisible: (role: QueueRole, atMs: number) => void;
  readonly onArmed: (atMs: number) => void;
}

const NOWHERE = {
  send: (): Promise<never> => Promise.reject(new Error("no saga runs here")),
};

const pausedOf = async (read: MemoryLedger["queueControls"]) =>
  (await read()).flatMap(({ queue, isPaused }) => (isPaused ? [queue] : []));

/** Two that are slow on both ways, one after the other. */
const SLOW_CALLS_MS = 50_000;

export function createStores(options: StoresOptions): Stores {
  const { scenario, scheduler, weather, chance, trace, violations } = options;
  /** The stores' own time: true, whatever a Worker believes. */
  const clock: Clock = createLife("store", scheduler).clock;
  const wire = createWire(scheduler, scheduler.nowMs(), weather, chance, trace);
  const targets = new Map(
    [...scenario.tenants.values()].flatMap(({ id: tenant, targets: all }) =>
      [...all.values()].map((target) => [target.url, { tenant, target }] as const),
    ),
  );
  const calmFromMs = scheduler.nowMs() + weather.endsAtMs;
  const closureWatch = createClosureWatch({
    tenants: createMemoryTenants(clock),
    ...{ targets, wire, violations, nowMs: clock.nowMs, controls: () => ledger.controls },
    promptFromMs: weather.slow === 0 ? 0 : calmFromMs + SLOW_CALLS_MS,
  });
  const { tenants } = closureWatch;
  const archive = createMemoryArchive(platformText, clock);
  const ledger = createMemoryLedger(clock, tenants);
  const listing = createMemoryListing(archive, platformText);
  const queues = createMemoryQueues(clock, {
    onVisible: options.onVisible,
    retriesMax: weather.retriesMax,
  });
  const outbox = createSimulatedOutbox(
    scheduler,
    (life) => ({
      send: (priority, packs, delaySeconds) =>
        wire.call(life, "queues", "send", () => queues.send(priority, packs, delaySeconds)),
    }),
    // While nobody says anything of a queue, a run is what it was before anybody could.
    async (life) => {
      const paused = async () => new Set(await pausedOf(ledger.queueControls));
      return ledger.controls.size === 0
        ? new Set()
        : wire.call(life, "ledger", "queueControls", paused);
    },
    traceLog(trace, "outbox"),
    options.onArmed,
  );
  const claims = createClaimWatch(clock.nowMs, violations);
  const acceptance = createAcceptanceWatch(
    weather.mode,
    archive,
    scenario.tenants,
    scenario.webhooks,
    violations,
  );
  const queueWatch = createQueueWatch(scheduler, wire, ledger.controls, violations);
  const fanOutWatch = createFanOutWatch({
    ...{ nowMs: clock.nowMs, calmFromMs },
    fanOutOf: acceptance.fanOutOf,
    ...{ ledger, claims, violations },
  });
  const pulls = createMemoryPulls(clock, ledger, tenants);
  const stores: Stores = {
    archive,
    batches: createMemoryBatches(clock, ledger, pulls),
    batchWatch: createBatchWatch(targets, claims, violations),
    fanOuts: createSimulatedFanOuts(() => stores, createMemoryFanOuts(clock, tenants, ledger)),
    gates: createMemoryGates(clock, traceLog(trace, "gate")),
    outbox,
    pulls,
    pullWatch: createPullWatch(clock.nowMs, ledger, tenants, violations),
    queues,
    sagas: createMemorySagas({ clock, log: traceLog(trace, "saga"), transport: NOWHERE }),
    tenants,
    wire,
    claims,
    acceptance,
    ...{ violations, scheduler, weather, chance, trace },
    deletions: createMemoryDeletions(clock, tenants, ledger, listing),
    removals: createRemovalWatch(clock.nowMs),
    ledger,
    limiter: createMemoryLimiter(clock),
    receivers: createReceivers(scenario, weather.endsAtMs, scheduler, chance),
    ...{ fanOutWatch, queueWatch },
    attempts: createAttemptWatch(
      clock.nowMs,
      targets,
      acceptance.bodyOf,
      claims,
      queueWatch,
      fanOutWatch,
      closureWatch,
      violations,
    ),
  };
  return stores;
}
