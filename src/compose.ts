/** The only file that names adapters: from bindings to what flows need, once per isolate. */
import { createArchive } from "./adapters/archive.ts";
import { createBound } from "./adapters/bound-targets.ts";
import { createCallbacks } from "./adapters/callbacks.ts";
import { platformCrypto, platformText } from "./adapters/crypto.ts";
import { createLedger } from "./adapters/d1/ledger.ts";
import { createSession } from "./adapters/d1/session.ts";
import { createTenantStore } from "./adapters/d1/tenant-store.ts";
import { defer } from "./adapters/defer.ts";
import { createResolver } from "./adapters/dns-resolver.ts";
import { createFanOutJobs } from "./adapters/fan-out-jobs.ts";
import { createGates } from "./adapters/gates.ts";
import { createTransport } from "./adapters/http-transport.ts";
import { createLateSagaIndex, createLateStores } from "./adapters/late-stores.ts";
import { createLimiter } from "./adapters/limiter.ts";
import { createOutbox } from "./adapters/outbox.ts";
import { createQueues } from "./adapters/queues.ts";
import { createReplayers } from "./adapters/replayers.ts";
import { createSagaConfig } from "./adapters/saga-config.ts";
import { createSagas } from "./adapters/sagas.ts";
import { createVault } from "./adapters/secrets.ts";
import { consoleLog, createMeter, systemClock, systemRandom } from "./adapters/system.ts";
import type { Text } from "./core/crypto.ts";
import type { DeedStart } from "./core/deed.ts";
import { base32 } from "./core/ids.ts";
import type { QueueName } from "./core/priority.ts";
import { type Config, type Env, type GuardConfig, parseConfig, parseGuardConfig } from "./env.ts";
import type { AcceptPorts } from "./flows/accept-event.ts";
import { createAdmission } from "./flows/admit.ts";
import { createDirectory } from "./flows/directory.ts";
import { createCommits } from "./flows/enqueue.ts";
import { createFairShares } from "./flows/fair-shares.ts";
import type { FanOutPorts } from "./flows/fan-out-page.ts";
import { createGivingWay } from "./flows/giving-way.ts";
import { createAddressGuard } from "./flows/guard-address.ts";
import { createHeardChanges } from "./flows/heard-changes.ts";
import type { DeliverPorts } from "./flows/ports.ts";
import { createProbe } from "./flows/probe.ts";
import { publishEvent } from "./flows/publish-event.ts";
import { createQueueValves } from "./flows/queue-valves.ts";
import { createReceivers } from "./flows/receivers.ts";
import type { SlicePorts } from "./flows/replay-slice.ts";
import type { SagaPorts } from "./flows/saga-ports.ts";
import { createTokens } from "./flows/tokens.ts";
import type { AdminStores } from "./ports/admin.ts";
import type { Clock } from "./ports/clock.ts";
import type { AddressGuard } from "./ports/guard.ts";
import type { Log } from "./ports/log.ts";
import type { Meter } from "./ports/meter.ts";
import type { Queues } from "./ports/queues.ts";
import type { Callbacks } from "./ports/saga.ts";

export interface App {
  readonly callbacks: Callbacks;
  readonly config: Config;
  readonly accept: AcceptPorts;
  readonly guard: AddressGuard;
  readonly deliver: DeliverPorts;
  /** Loaded on first use: ingest never pays for it. */
  adminStores(deed?: DeedStart): Promise<AdminStores>;
}

export type Composed =
  | { readonly ok: true; readonly app: App }
  | { readonly ok: false; readonly faults: readonly string[] };

const composed = new WeakMap<Env, Composed>();

/** One for all that runs in this isolate: on the local engine that is the Worker and its Durable Objects. */
export const meter: Meter = createMeter();

/** What this isolate has seen of receivers, and the tokens that it holds: deliveries and sagas share them. */
const receivers = createReceivers();
const tokens = createTokens();

/** What this isolate runs on; every call with the same bindings answers the same. */
export function compose(env: Env): Composed {
  let result = composed.get(env);
  if (result === undefined) {
    const parsed = parseConfig({ ...env });
    result = parsed.ok ? { ok: true, app: composeApp(env, parsed.config) } : parsed;
    if (!parsed.ok) consoleLog.error("config-invalid", { faults: parsed.faults.join("; ") });
    composed.set(env, result);
  }
  return result;
}

function composeApp(env: Env, config: Config): App {
  const session = createSession(env.DB, meter);
  const guard = createGuard(config.guard);
  const vault = createVault(config.encryptionKey, config.encryptionKeysOld);
  const common = {
    archive: createArchive(env.ARCHIVE, platformText, meter),
    clock: systemClock,
    crypto: platformCrypto,
    directory: createDirectory(createTenantStore(session, vault, consoleLog), systemClock),
    limiter: createLimiter(env.TENANT_LIMITER, meter),
    log: consoleLog,
    meter,
    outbox: createOutbox(env.OUTBOX_SHARD, config.outboxShards, systemRandom, meter),
    queues: createQueues(queuesOf(env), meter),
    random: systemRandom,
    text: platformText,
  };
  const accept: AcceptPorts = {
    ...common,
    admission: createAdmission(common.limiter, systemClock, consoleLog),
    commits: createCommits(config.outbox, common),
  };
  return {
    callbacks: createCallbacks(vault.derive("saga callbacks"), config.publicUrl),
    config,
    guard,
    accept,
    deliver: {
      ...common,
      ...createLateStores(session, vault, { bucket: env.ARCHIVE, text: platformText, meter }),
      bound: createBound(env, systemClock),
      defer,
      fanOuts: createFanOutJobs(session, env.FAN_OUT, meter),
      gates: createGates(env.TARGET_GATE, meter),
      ledger: createLedger(session),
      isolate: base32(systemRandom.bytes(5)),
      ledgerProbe: createProbe(systemClock),
      publisher: { publish: (event) => publishEvent(event, accept) },
      replayers: createReplayers(session, env.REPLAY, meter),
      sagas: createSagas(env.SAGA, meter),
      fairShares: createFairShares(),
      givingWay: createGivingWay(),
      heardChanges: createHeardChanges(),
      queueValves: createQueueValves(),
      ...{ receivers, tokens },
      transport: createTransport(guard, systemClock),
    },
    async adminStores(deed) {
      const { createAdminStores } = await import("./adapters/d1/admin-stores.ts");
      return createAdminStores(session, vault, env.ARCHIVE, platformText, meter, deed ?? null);
    },
  };
}

/** One per isolate: what it found out about names serves every delivery. */
function createGuard({ policy, dnsResolver }: GuardConfig): AddressGuard {
  const resolver = dnsResolver === null ? null : createResolver(dnsResolver, meter);
  return createAddressGuard(policy, resolver, systemClock);
}

/** Of a guard that could not be configured: nothing leaves, and nothing is refused for good. */
const closedGuard: AddressGuard = {
  check: async () => ({ kind: "unknown", detail: "the router's configuration is not valid" }),
};

const sagaGuards = new WeakMap<Env, AddressGuard>();

/** Whatever other variables are bad: sagas go on. */
function guardOf(env: Env): AddressGuard {
  const composed = compose(env);
  if (composed.ok) return composed.app.guard;
  const known = sagaGuards.get(env);
  if (known !== undefined) return known;
  const config = parseGuardConfig({ ...env });
  const guard = config === null ? closedGuard : createGuard(config);
  sagaGuards.set(env, guard);
  return guard;
}

const queuesOf = (env: Env) => ({
  critical: env.QUEUE_CRITICAL,
  normal: env.QUEUE_NORMAL,
  bulk: env.QUEUE_BULK,
  replay: env.QUEUE_REPLAY,
});

export interface OutboxParts {
  readonly clock: Clock;
  readonly queues: Queues;
  readonly text: Text;
  readonly log: Log;
  pausedQueues(): Promise<ReadonlySet<QueueName>>;
}

/** What an outbox shard needs; it starts even when a variable is bad, because rows wait in it. */
export function composeOutbox(env: Env): OutboxParts {
  return {
    clock: systemClock,
    queues: createQueues(queuesOf(env), meter),
    text: platformText,
    log: consoleLog,
    async pausedQueues() {
      const controls = await createLedger(createSession(env.DB, meter)).queueControls();
      return new Set(controls.filter(({ isPaused }) => isPaused).map(({ queue }) => queue));
    },
  };
}

/** What a gate needs to decide; to let something go it needs a valid configuration. */
export const gateParts = { clock: systemClock, log: consoleLog, random: systemRandom };

/** What the driver of a replay or a fan-out needs while the configuration is bad: nothing of it. */
export const replayParts = { clock: systemClock, log: consoleLog };

/** What a slice of a replay needs; rejects when a variable is bad. */
export async function composeSlices(env: Env): Promise<SlicePorts> {
  const app = runningApp(env);
  const { archive: listing, replays } = await app.adminStores();
  return { ...app.deliver, listing, replays };
}

/** What a page of a fan-out needs; rejects when a variable is bad. */
export async function composeFanOuts(env: Env): Promise<FanOutPorts> {
  const app = runningApp(env);
  const { fanOuts } = await app.adminStores();
  return { ...app.accept, fanOuts };
}

/** Throws when a variable is bad. */
function runningApp(env: Env): App {
  const composed = compose(env);
  if (!composed.ok) throw new Error("the configuration is not valid");
  return composed.app;
}

/** What an instance of a saga needs; it goes on even when a variable is bad, because people wait for it. */
export function composeSaga(env: Env): Omit<SagaPorts, "journal" | "defer"> {
  return {
    callbacks: { urlOf: (address) => runningApp(env).callbacks.urlOf(address) },
    clock: systemClock,
    config: createSagaConfig(async () => (await runningApp(env).adminStores()).config),
    crypto: platformCrypto,
    gates: createGates(env.TARGET_GATE, meter),
    index: createLateSagaIndex(createSession(env.DB, meter)),
    log: consoleLog,
    publisher: { publish: async (event) => publishEvent(event, runningApp(env).accept) },
    random: systemRandom,
    ...{ receivers, tokens },
    sagas: createSagas(env.SAGA, meter),
    text: platformText,
    transport: createTransport(guardOf(env), systemClock),
  };
}
