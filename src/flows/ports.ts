/** What the consumer's flows need, composed once per isolate. */
import type { Text } from "../core/crypto.ts";
import type { Archive } from "../ports/archive.ts";
import type { Batches } from "../ports/batches.ts";
import type { Bound } from "../ports/bound.ts";
import type { Clock, Random } from "../ports/clock.ts";
import type { Deletions } from "../ports/deletions.ts";
import type { Reseals } from "../ports/encryption.ts";
import type { FanOutJobs } from "../ports/fan-outs.ts";
import type { Gates } from "../ports/gates.ts";
import type { Ledger } from "../ports/ledger.ts";
import type { Limiter } from "../ports/limiter.ts";
import type { Log } from "../ports/log.ts";
import type { Meter } from "../ports/meter.ts";
import type { Outbox } from "../ports/outbox.ts";
import type { Publisher } from "../ports/publisher.ts";
import type { Pulls } from "../ports/pulls.ts";
import type { Queues } from "../ports/queues.ts";
import type { Replayers } from "../ports/replays.ts";
import type { Sagas } from "../ports/saga.ts";
import type { SagaDirectory } from "../ports/saga-index.ts";
import type { SagaJobs } from "../ports/saga-jobs.ts";
import type { StreamCrypto } from "../ports/stream-crypto.ts";
import type { Transport } from "../ports/transport.ts";
import type { Turns } from "../ports/turns.ts";
import type { Directory } from "./directory.ts";
import type { FairShares } from "./fair-shares.ts";
import type { GivingWay } from "./giving-way.ts";
import type { HeardChanges } from "./heard-changes.ts";
import type { Probe } from "./probe.ts";
import type { QueueValves } from "./queue-valves.ts";
import type { Receivers } from "./receivers.ts";
import type { Tokens } from "./tokens.ts";

export interface DeliverPorts {
  /** Names this isolate: the tokens of its claims begin with it. */
  readonly isolate: string;
  readonly archive: Archive;
  /** Loaded on first use: only gates of targets that get batches need it. */
  batches(): Promise<Batches>;
  readonly bound: Bound;
  readonly clock: Clock;
  readonly crypto: StreamCrypto;
  /** Keeps the invocation alive until the work ends, which nobody waits for. */
  defer(work: Promise<void>): void;
  readonly deletions: Deletions;
  readonly directory: Directory;
  /** Of this isolate. */
  readonly fairShares: FairShares;
  readonly givingWay: GivingWay;
  readonly fanOuts: FanOutJobs;
  readonly gates: Gates;
  /** Of this isolate. */
  readonly heardChanges: HeardChanges;
  readonly ledger: Ledger;
  /** Of this isolate. */
  readonly ledgerProbe: Probe;
  readonly limiter: Limiter;
  readonly log: Log;
  readonly meter: Meter;
  readonly outbox: Outbox;
  /** Of events that targets make of what they get. */
  readonly publisher: Publisher;
  /** Loaded on first use: only readers and the sweeper need it. */
  pulls(): Promise<Pulls>;
  readonly queues: Queues;
  readonly random: Random;
  /** Of this isolate. */
  readonly queueValves: QueueValves;
  /** Of this isolate. */
  readonly receivers: Receivers;
  readonly replayers: Replayers;
  readonly reseals: Reseals;
  readonly sagaIndex: SagaDirectory;
  readonly sagaJobs: SagaJobs;
  readonly sagas: Sagas;
  readonly text: Text;
  /** Of this isolate. */
  readonly tokens: Tokens;
  readonly transport: Transport;
  /** Loaded on first use: only targets with an order and the sweeper need it. */
  turns(): Promise<Turns>;
}
