/** One run from one seed: the real flows over stores in memory, in bad weather first and in good weather then. */
import { recoverAll, sweep } from "../../src/flows/sweep.ts";
import { createBroker } from "./broker.ts";
import { createChance } from "./chance.ts";
import { checkEnd, waitsForLost } from "./final-checks.ts";
import type { Invocation } from "./invocation.ts";
import { createIsolates, type Isolate, type Isolates } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import { createOperators } from "./operators.ts";
import { createReaders } from "./readers.ts";
import { drawScenario, type Scenario } from "./scenario.ts";
import { createScheduler, type Planned } from "./scheduler.ts";
import { createSenders } from "./senders.ts";
import { createStores, type Stores } from "./stores.ts";
import { writeDown } from "./tenants.ts";
import { createTrace, type Line } from "./trace.ts";
import { createViolations, type Violation } from "./violations.ts";
import { createSweepWatch } from "./watch-sweeps.ts";
import { drawWeather, type Weather } from "./weather.ts";

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly steps: number;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly weather: Weather;
  readonly lines: readonly Line[];
  readonly events: number;
  /** Requests to receivers that had done the same work before. */
  readonly repeats: number;
  /** Answers that receivers who did the work owed and did not give in time. */
  readonly unheard: number;
  readonly drainedAfterMs: number;
}

export const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
/**
 * In good weather everything is over within: an invocation that hangs until the platform ends it, the
 * longest pause of a message, a sender's last try, and the ladder with what receivers ask for.
 */
export const DRAIN_MS = 60 * MINUTE_MS;
const LOOK_EVERY_MS = 10_000;
/** Then what a breaker has let go just before the end waits again. */
const PROBE_MS = 10 * MINUTE_MS;
/** Longer than any isolate takes to start anew. */
const RESTART_MS = 3_100;

export async function run(seed: number, keepsLines = false): Promise<Outcome> {
  const chance = createChance(seed);
  const scheduler = createScheduler(START_MS);
  const trace = createTrace(scheduler.nowMs, keepsLines);
  const violations = createViolations(() => scheduler.stop());
  const weather = drawWeather(chance);
  const scenario = drawScenario(chance);
  const broker = createBroker(
    () => stores,
    () => isolates,
  );
  const stores: Stores = createStores({
    ...{ scenario, scheduler, weather, chance, trace, violations },
    onVisible: broker.wake,
    onArmed: (atMs) => ring(atMs),
  });
  const isolates: Isolates = createIsolates(stores, broker.isolateDied);
  const { wire } = stores;
  wire.onCrash = (life) => {
    if (stores.outbox.isObject(life)) stores.outbox.kill();
    else isolates.kill(life);
    // The engine dies with it, and starts again.
    if (life.isolate === recovering) restart();
  };
  wire.onStall = (life) => {
    isolates.holdUp(life);
    broker.isolateStands(life.isolate);
  };
  for (const tenant of scenario.tenants.values()) writeDown(tenant, stores.tenants);
  const senders = createSenders(scenario.sendings, stores, isolates);
  createReaders(scenario.tenants, stores, isolates);
  const operators = createOperators(scenario.doings, scenario.tenants, stores, isolates);

  /** The outbox's alarm: on time, late, twice, or never, so that another must do its work. */
  function ring(atMs: number): void {
    const { twice, late, never } = weather.alarms;
    const isBad = !wire.isCalm();
    if (isBad && chance.happens(never)) return;
    const delayMs = atMs - scheduler.nowMs() + (isBad && chance.happens(late) ? 90_000 : 0);
    const times = isBad && chance.happens(twice) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      scheduler.after(delayMs, null, () => stores.outbox.ring());
    }
  }

  type Work = (ports: ReturnType<Isolate["deliver"]>) => Promise<unknown>;

  /** Runs the cron's work in an isolate; `work` says whether nothing failed. */
  function invoke(name: string, isolate: Isolate | null, work: Work, isSpared = false): void {
    if (isolate === null) return;
    const life = createLife(name, scheduler, isolate.life, isSpared);
    const invocation: Invocation = {
      ...{ life, role: "sweep", startedAtMs: scheduler.nowMs(), token: null },
    };
    const sweeps = createSweepWatch(violations);
    trace.note(life.name, "begins", () => isolate.life.name);
    work(isolate.deliver(invocation, sweeps)).then(
      (isComplete) => sweeps.ended(isComplete === true),
      (error: unknown) => trace.note(life.name, "fails", () => String(error)),
    );
  }

  function everyMinute(): void {
    if (wire.isCalm() || !chance.happens(weather.cronMissed)) {
      invoke("cron", isolates.pick(), async (ports) => (await sweep("overdue", ports)).complete);
    }
    scheduler.after(MINUTE_MS, null, everyMinute);
  }
  scheduler.after(chance.between(0, MINUTE_MS), null, everyMinute);

  for (const atMs of weather.objectDeathsAtMs) {
    scheduler.after(atMs, null, stores.outbox.kill);
    scheduler.after(atMs, null, isolates.killObjects);
  }
  for (const atMs of weather.restartsAtMs) scheduler.after(atMs, null, restart);
  for (const atMs of weather.clockJumpsAtMs) scheduler.after(atMs, null, isolates.jumpClocks);

  let recovery: Planned | null = null;
  let recovering: Life | null = null;
  /** As `kill -9` of the local engine: its queues are gone, which it says before it works again. */
  function restart(): void {
    trace.note("world", "restarts");
    isolates.killAll();
    stores.outbox.kill();
    if (weather.mode !== "always") return;
    broker.forget();
    stores.wire.endEngine();
    isolates.isClosed = true;
    // An engine that was still starting is killed with the rest.
    if (recovery !== null) recovery.cancelled = true;
    recovery = scheduler.after(RESTART_MS, null, recover);
  }

  function recover(): void {
    isolates.isClosed = false;
    const isolate = isolates.pick();
    isolates.isClosed = isolate !== null;
    recovering = isolate?.life ?? null;
    const open = (): void => {
      isolates.isClosed = false;
      recovering = null;
    };
    // Should it die of another restart, that one's recovery follows.
    if (isolate !== null)
      invoke("recover", isolate, (ports) => recoverAll(ports).finally(open), true);
  }

  /** A breaker tries one that is down for good again, by a message that waits for its next attempt. */
  const isLostProbed = (): boolean =>
    [...stores.ledger.deliveries.values()].some(
      ({ state, tenant, target }) =>
        state === "retrying" && stores.receivers.isLost(scenario.urlOf(tenant, target)),
    );

  let drainedAfterMs = 0;
  function look(): void {
    const sinceMs = scheduler.nowMs() - START_MS - weather.endsAtMs;
    const left = whatIsLeft(stores, scenario, senders.waiting, operators.waiting, broker.working);
    if (left === null) {
      drainedAfterMs = sinceMs;
      checkEnd(stores, scenario, operators.poisoned);
      scheduler.stop();
    } else if (sinceMs > DRAIN_MS + (isLostProbed() ? PROBE_MS : 0)) {
      violations.add(`an hour after everything works again there is still ${left}`);
    } else {
      scheduler.after(LOOK_EVERY_MS, null, look);
    }
  }
  scheduler.after(weather.endsAtMs + LOOK_EVERY_MS, null, look);

  await scheduler.run();
  return {
    ...{ seed, weather, lines: trace.lines, hash: trace.hash, steps: scheduler.steps },
    ...{ violation: violations.first, drainedAfterMs, repeats: stores.attempts.repeats },
    unheard: stores.attempts.unheard,
    events: stores.ledger.events.size,
  };
}

function whatIsLeft(
  { queues, outbox, ledger, fanOuts, tenants, receivers }: Stores,
  scenario: Scenario,
  senders: number,
  operators: number,
  working: number,
): string | null {
  if (senders > 0) return `${senders} senders without an answer`;
  if (operators > 0) return `${operators} operators without an answer`;
  for (const [role, kept] of Object.entries(queues.kept)) {
    if (kept.size > 0) return `${kept.size} messages in ${role}`;
  }
  if (outbox.rows.size > 0) return `${outbox.rows.size} rows in the outbox`;
  for (const row of ledger.deliveries.values()) {
    const { state, event, dueAtMs, tenant, target } = row;
    // What a gate has parked goes out by itself, and what a reader may pull; what waits for a person does not.
    const isOwed = state === "pending" || state === "retrying" || state === "delivering";
    const isClosed = tenants.isLeased(tenant, target) && !tenants.isOpen(tenant, target);
    const isHeld = isClosed || waitsForLost(row, { receivers }, scenario);
    if (isOwed || (state === "parked" && dueAtMs !== null && !isHeld)) return `${event} ${state}`;
  }
  for (const { id, tenant, state } of fanOuts.store.rows.values()) {
    // Of a deleted tenant nobody waits for it.
    if (state === "running" && tenants.born(tenant) !== undefined) return `${id} running`;
  }
  return working > 0 ? `${working} batches being worked on` : null;
}
