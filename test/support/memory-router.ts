/** The whole router in one process: the real flows over ports in memory and a fake clock. */

import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { createMeter } from "../../src/adapters/system.ts";
import type { AcceptPorts } from "../../src/flows/accept-event.ts";
import { createAdmission } from "../../src/flows/admit.ts";
import { createDirectory } from "../../src/flows/directory.ts";
import { disableTarget, failingSince } from "../../src/flows/disable-target.ts";
import { createCommits, type OutboxMode } from "../../src/flows/enqueue.ts";
import { createFairShares } from "../../src/flows/fair-shares.ts";
import { createGivingWay } from "../../src/flows/giving-way.ts";
import { createHeardChanges } from "../../src/flows/heard-changes.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createProbe } from "../../src/flows/probe.ts";
import { publishEvent } from "../../src/flows/publish-event.ts";
import { createQueueValves } from "../../src/flows/queue-valves.ts";
import { createReceivers } from "../../src/flows/receivers.ts";
import { releaseParked } from "../../src/flows/release-parked.ts";
import { lookForBatch, sendBatch, takeBatch } from "../../src/flows/send-batch.ts";
import { createTokens } from "../../src/flows/tokens.ts";
import type { Publisher } from "../../src/ports/publisher.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";
import "./loaded.ts";
import { createMemoryArchive, createMemoryListing, type MemoryArchive } from "./memory-archive.ts";
import { createMemoryBatches } from "./memory-batches.ts";
import { createMemoryBound, type MemoryBound } from "./memory-bound.ts";
import { createMemoryDeletions, type MemoryDeletions } from "./memory-deletions.ts";
import { createMemoryFanOuts, type MemoryFanOuts } from "./memory-fan-outs.ts";
import { createMemoryGates, type MemoryGates } from "./memory-gates.ts";
import { createMemoryLedger, type MemoryLedger } from "./memory-ledger.ts";
import { createMemoryLimiter, type MemoryLimiter } from "./memory-limiter.ts";
import { createMemoryOutbox, type MemoryOutbox } from "./memory-outbox.ts";
import { createMemoryPulls } from "./memory-pulls.ts";
import { createMemoryQueues, type MemoryQueues } from "./memory-queues.ts";
import { NO_RESEALS } from "./memory-reseals.ts";
import { createMemorySagaJobs, type MemorySagaJobs } from "./memory-saga-jobs.ts";
import { createMemorySagas, type MemorySagas } from "./memory-sagas.ts";
import { createMemoryLog, createSeededRandom, type MemoryLog } from "./memory-system.ts";
import { createMemoryTenants, type MemoryTenants } from "./memory-tenants.ts";
import { createMemoryTransport, type MemoryTransport } from "./memory-transport.ts";
import { createMemoryTurns } from "./memory-turns.ts";

/** What outlives an isolate, and what a test looks at. */
export interface World {
  readonly bound: MemoryBound;
  readonly publisher: Publisher;
  readonly archive: MemoryArchive;
  readonly clock: FakeClock;
  readonly deletions: MemoryDeletions;
  readonly fanOuts: MemoryFanOuts;
  readonly gates: MemoryGates;
  readonly ledger: MemoryLedger;
  readonly limiter: MemoryLimiter;
  readonly log: MemoryLog;
  readonly outbox: MemoryOutbox;
  readonly queues: MemoryQueues;
  readonly sagaJobs: MemorySagaJobs;
  readonly sagas: MemorySagas;
  /** What sagas publish by: the newest isolate's. */
  readonly publishers: AcceptPorts[];
  readonly tenants: MemoryTenants;
  readonly transport: MemoryTransport;
}

export interface Isolate {
  readonly accept: AcceptPorts;
  readonly deliver: DeliverPorts;
}

export function createWorld(clock: FakeClock = createFakeClock()): World {
  const tenants = createMemoryTenants(clock);
  const archive = createMemoryArchive(platformText, clock);
  const ledger = createMemoryLedger(clock, tenants);
  const queues = createMemoryQueues(clock);
  const log = createMemoryLog();
  const transport = createMemoryTransport(() => clock.nowMs());
  const publishers: AcceptPorts[] = [];
  const publisher: Publisher = {
    async publish(event) {
      const ports = publishers.at(-1);
      if (ports === undefined) throw new Error("there is no isolate");
      return publishEvent(event, ports);
    },
  };
  const gates = createMemoryGates(clock, log);
  return {
    archive,
    bound: createMemoryBound(),
    fanOuts: createMemoryFanOuts(clock, tenants, ledger),
    gates,
    clock,
    deletions: createMemoryDeletions(
      clock,
      tenants,
      ledger,
      createMemoryListing(archive, platformText),
    ),
    ledger,
    limiter: createMemoryLimiter(clock),
    log,
    outbox: createMemoryOutbox(clock, queues, platformText, log),
    publisher,
    queues,
    sagas: createMemorySagas({ clock, log, transport, publisher }),
    publishers,
    sagaJobs: createMemorySagaJobs(),
    tenants,
    transport,
  };
}

let isolates = 0;

/** A new isolate of the Worker over `world`; `broken` replaces ports, for failures. */
export function createIsolate(
  world: World,
  options: {
    readonly outbox?: OutboxMode;
    readonly seed?: number;
    readonly broken?: Partial<DeliverPorts>;
  } = {},
): Isolate {
  isolates += 1;
  const pulls = createMemoryPulls(world.clock, world.ledger, world.tenants);
  const deliver: DeliverPorts = {
    ...world,
    batches: async () => createMemoryBatches(world.clock, world.ledger, pulls),
    isolate: `isolate-${isolates}-`,
    crypto: platformCrypto,
    defer: () => {},
    directory: createDirectory(world.tenants, world.clock),
    ledgerProbe: createProbe(world.clock),
    meter: createMeter(),
    pulls: async () => pulls,
    reseals: NO_RESEALS,
    replayers: { overdue: async () => [], wake: async () => {} },
    random: createSeededRandom(options.seed ?? 1),
    sagaIndex: world.sagas.index,
    fairShares: createFairShares(),
    givingWay: createGivingWay(),
    heardChanges: createHeardChanges(),
    queueValves: createQueueValves(),
    receivers: createReceivers(),
    tokens: createTokens(),
    text: platformText,
    turns: async () => createMemoryTurns(world.clock, world.ledger, world.tenants),
    ...options.broken,
  };
  world.gates.releaseBy((id, count) => releaseParked(id, count, deliver));
  world.gates.giveUpBy((id, sinceMs, version) =>
    disableTarget(id, version, failingSince(sinceMs), deliver),
  );
  world.gates.sendBy({
    look: (id, limits) => lookForBatch(id, limits, deliver),
    take: (due) => takeBatch(due, deliver),
    send: (held) => sendBatch(held, deliver),
  });
  const accept: AcceptPorts = {
    ...deliver,
    admission: createAdmission(deliver.limiter, deliver.clock, deliver.log),
    commits: createCommits(options.outbox ?? "on-failure", deliver),
  };
  world.publishers.push(accept);
  return { deliver, accept };
}
