/**
 * One saga in bad weather, by a seed: the real driver over a journal in memory, receivers that honour keys, requests
 * and answers that are lost or late, processes that die, and a person who decides in between.
 */
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { CallbackAddress } from "../../src/core/saga/callback-address.ts";
import { COMMANDS, type Command } from "../../src/core/saga/commands.ts";
import { isEnded } from "../../src/core/saga/instance.ts";
import { pack, unpack } from "../../src/core/saga/text.ts";
import type { Target } from "../../src/core/tenant.ts";
import { createSagaRun, type SagaRun } from "../../src/flows/advance-saga.ts";
import { createReceivers } from "../../src/flows/receivers.ts";
import { createTokens } from "../../src/flows/tokens.ts";
import type { SagaEvent } from "../../src/ports/publisher.ts";
import type { JournalRow, SagaStart } from "../../src/ports/saga.ts";
import type { SagaSummary } from "../../src/ports/saga-index.ts";
import type { OutgoingRequest } from "../../src/ports/transport.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemorySagaIndex } from "../support/memory-sagas.ts";
import { createMemoryLog, createSeededRandom } from "../support/memory-system.ts";
import { randomSaga } from "./random-saga.ts";
import {
  type Decision,
  decisionOf,
  journalViolations,
  stepsOf,
  violationsOf,
} from "./saga-checks.ts";
import { createSagaParticipant } from "./saga-participant.ts";
import { createSimulatedTargets, restViolations } from "./saga-targets.ts";
import { createSimulatedChildren } from "./simulated-children.ts";

export interface SagaOutcome {
  readonly seed: number;
  readonly status: string;
  readonly rows: number;
  readonly requests: number;
  readonly deaths: number;
  readonly commands: number;
  readonly wasStuck: boolean;
  /** Null: all is as it must be. */
  readonly violation: string | null;
}

const DIED = "this process has died";
/** Whoever asks a process that dies meanwhile hears nothing. */
const orDied = <Heard>(asking: Promise<Heard>): Promise<Heard | null> =>
  asking.catch((error: unknown) => {
    if (error instanceof Error && error.message === DIED) return null;
    throw error;
  });

/** From then on nothing fails any more. */
const WEATHER_MS = 120_000;
/** For an index that could not be told. */
const QUIET_MS = 240_000;
/** Far more than any of these sagas needs. */
const ROWS_MAX = 3_000;
/** Until the engine has an alarm go off once more whose handler died. */
const AGAIN_MS_MAX = 400;
/** A request whose receiver acts when nobody waits any more. */
const LATE = 0.12;
const LATE_MS_MAX = 60_000;
/** How often a person decides of a step while its request is under way. */
const DECIDED = 0.01;
const PAID = { type: "paid" };
const CHILD = { version: 1, createdAtMs: 1, doc: { steps: [] } };

/**
 * `isForgetful`: the process dies with every transaction, before a request leaves; only a request whose twin the death
 * before held up goes out, so that it gets on.
 */
export async function runSaga(seed: number, isForgetful = false): Promise<SagaOutcome> {
  const random = createSeededRandom(seed);
  const chance = (share: number): boolean => random.unit() < share;
  const upTo = (most: number): number => Math.floor(random.unit() * most);
  const pick = <Item>(items: readonly Item[]): Item => items[upTo(items.length)] as Item;
  const clock = createFakeClock();
  const startMs = clock.nowMs();
  const isFair = (): boolean => clock.nowMs() - startMs > WEATHER_MS;
  const after = (ms: number, work: () => void): void => void clock.timer(ms).elapsed.then(work);
  const doc = randomSaga(chance, upTo, pick);
  const deadlineMs = doc.deadlineSeconds === undefined ? null : doc.deadlineSeconds * 1_000;
  const targets = createSimulatedTargets(clock, deadlineMs, chance, upTo, pick);
  const rejecting = new Set(
    doc.steps.flatMap(stepsOf).flatMap(({ name }) => (chance(0.1) ? [name] : [])),
  );
  const names = doc.steps.flatMap(stepsOf).map(({ name }) => name);
  /** A step all of whose requests are late as long as the weather is bad. */
  const slow = chance(0.2) ? pick(names) : null;
  const start: SagaStart = {
    ...{ id: "sga_1", tenant: "acme", saga: "s", version: 1, doc, key: "k", correlationId: null },
    ...{ input: { n: seed }, startedAtMs: startMs },
  };

  // What outlives a process: the journal, its alarm, and the receivers.
  const rows: JournalRow[] = [];
  let begun: SagaStart | null = null;
  let alarm: { cancel(): void } | null = null;
  let isRinging = false;
  let heldUp: ReadonlySet<string> = new Set();
  const tombstones = doc.steps.flatMap(stepsOf).filter(({ settle }) => settle === "tombstone");
  const { effects, faults, receive, take } = createSagaParticipant(
    rejecting,
    new Set(tombstones.map(({ name }) => name)),
  );
  const violations: string[] = [];
  let requests = 0;
  let deaths = 0;
  let commands = 0;
  let wasStuck = false;
  const touched = new Set<string>();
  const decided = new Map<string, Decision>();

  function send(request: OutgoingRequest): Promise<Answer> {
    requests += 1;
    if (run.view()?.paused === true) violations.push("a request is made while the saga is paused");
    if (targets.isClosed(request.url)) violations.push("a request is made to a closed target");
    if (!isFair() && chance(DECIDED)) {
      const step = request.headers.get("signalbox-step") ?? "";
      after(upTo(400), () => void command(pick(["override-step", "skip-step"]), step));
    }
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const latency = 1 + upTo(300);
    const answer = (ms: number, said: Answer): void => after(ms, () => resolve(said));
    const isSlow = request.headers.get("signalbox-step") === slow;
    const weather = isFair() ? 1 : isSlow ? LATE : random.unit();
    if (weather < 0.06) answer(request.timeoutMs, { kind: "timeout" });
    else if (weather <= LATE) {
      after(upTo(LATE_MS_MAX), () => void receive(request));
      answer(request.timeoutMs, { kind: "timeout" });
    } else if (weather < 0.17) {
      after(latency, () => void receive(request));
      answer(latency, { kind: "network", detail: "cut off" });
    } else if (weather < 0.22) {
      answer(latency, {
        kind: "response",
        status: 503,
        retryAfterMs: chance(0.5) ? 3_000 : null,
        body: "",
      });
    } else if (request.headers.has("signalbox-callback") && chance(0.7)) {
      answer(latency, { kind: "response", status: 202, retryAfterMs: null, body: "" });
      // Often before the 202 was heard, sometimes twice, and in bad weather never.
      for (let copies = chance(0.2) ? 2 : 1; copies > 0; copies -= 1) {
        if (!isFair() && chance(0.1)) continue;
        after(upTo(chance(0.3) ? 300 : 40_000), () => callBack(request));
      }
    } else {
      after(latency, () => resolve(receive(request)));
    }
    return promise;
  }

  /** Durable once for a key, although whoever asked may not hear of it. */
  function publish({ key, data }: SagaEvent): Promise<Answer> {
    if (life.isDying) return new Promise(() => {});
    requests += 1;
    if (run.view()?.paused === true)
      violations.push("an event is published while the saga is paused");
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const weather = isFair() ? 1 : random.unit();
    after(1 + upTo(300), () => {
      if (weather < 0.1) return reject(new Error("the queue is down"));
      const said = take(key, data);
      return weather < 0.2 ? reject(new Error("it is not known")) : resolve(said);
    });
    return promise;
  }

  /** The participant does it only now, and tells how it went. */
  function callBack(request: OutgoingRequest): void {
    const answer = receive(request);
    if (answer.kind !== "response") return;
    const address = unpack<CallbackAddress>(request.headers.get("signalbox-callback") ?? "");
    const outcome =
      answer.status === 200
        ? ({ kind: "succeeded", output: { id: 1 } } as const)
        : ({ kind: "rejected", error: "no" } as const);
    run.callback(address, outcome).catch(() => {}); // whoever has died hears nothing
  }

  const children = createSimulatedChildren(
    effects,
    { after, upTo, chance, isFair, isDying: () => life.isDying },
    (step) => void run.look(step).catch(() => {}),
  );
  const ended = Promise.withResolvers<void>();
  const summaries = new Map<string, SagaSummary>();
  const index = createMemorySagaIndex(summaries);
  let life = { isOver: false, isDying: false };
  let run: SagaRun = born();

  function born(): SagaRun {
    life = { isOver: false, isDying: false };
    const own = life;
    const alive = (): void => {
      if (own.isOver) throw new Error(DIED);
    };
    return createSagaRun({
      ...{ clock, log: createMemoryLog(), random, crypto: platformCrypto, text: platformText },
      gates: targets.gates,
      ...{ receivers: createReceivers(), tokens: createTokens() },
      ...{ callbacks: { urlOf: pack }, publisher: { publish }, sagas: children },
      config: { saga: async () => CHILD, target: (_, id) => targetOf(id) },
      transport: { send: (request) => (own.isDying ? new Promise(() => {}) : send(request)) },
      index: {
        begin: index.begin,
        forget: index.forget,
        async put(summary) {
          if (!isFair() && chance(0.05)) throw new Error("the index is down");
          await index.put(summary);
        },
      },
      journal: {
        read: () => (begun === null ? null : { start: begun, rows: [...rows] }),
        begin(given, first) {
          alive();
          begun = given;
          if (first !== null) rows.push(first);
          if (isForgetful && (first === null || !isTwin(first))) dieWith(own);
          after(0, written);
        },
        append(row) {
          alive();
          if (rows.length >= ROWS_MAX) {
            violations.unshift("it goes on for ever");
            ended.resolve();
            throw new Error("the journal is full");
          }
          rows.push(row);
          if (isForgetful && !isTwin(row)) dieWith(own);
          after(0, written);
        },
        async setAlarm(atMs) {
          alive();
          setAlarm(atMs);
        },
        erase: async () => {},
      },
      defer: () => {},
    });
  }

  /** One that is asked for without an end is not answered: no time would pass any more. */
  async function targetOf(id: string): Promise<Target | null> {
    const target = targets.target(id);
    if (target !== "again") return target;
    violations.unshift(`the target "${id}" is asked for without a pause`);
    ended.resolve();
    return new Promise(() => {});
  }

  function setAlarm(atMs: number | null): void {
    alarm?.cancel();
    alarm = null;
    if (atMs === null) return;
    if (atMs <= clock.nowMs()) {
      violations.unshift("an alarm is set to a time that has passed");
      ended.resolve();
      return; // it would never go off
    }
    const timer = clock.timer(atMs - clock.nowMs());
    alarm = timer;
    void timer.elapsed.then(() => {
      if (alarm === timer) ring();
    });
  }

  function ring(): void {
    alarm = null;
    isRinging = true;
    const own = life;
    void run.wake(true).then(() => {
      if (own === life) isRinging = false;
    });
  }

  function die(): void {
    deaths += 1;
    life.isOver = true;
    run = born();
    // An alarm whose handler died goes off again, unless that had set another.
    if (isRinging && alarm === null) {
      after(1 + upTo(AGAIN_MS_MAX), () => {
        if (alarm === null) ring();
      });
    }
    isRinging = false;
  }

  /** With all that is done in this turn: to its storage that is one transaction. */
  function dieWith(own: typeof life): void {
    own.isDying = true;
    queueMicrotask(() => {
      if (!own.isOver) die();
    });
  }

  /** Whether the row has the very requests that the last death held up. */
  function isTwin({ entries }: JournalRow): boolean {
    const made = entries.flatMap((entry) =>
      entry.kind === "request" ? [`${entry.step} ${entry.direction}`] : [],
    );
    const isSame = made.length > 0 && made.every((request) => heldUp.has(request));
    heldUp = new Set(isSame ? [] : made);
    return isSame;
  }

  function written(): void {
    const view = run.view();
    if (view === null) return;
    if (view.status === "STUCK" && !wasStuck) wasStuck = true;
    if (view.status === "STUCK") after(1_000 + upTo(20_000), unstick);
    if (isEnded(view.status)) ended.resolve();
  }

  async function command(kind: Command["kind"], step?: string): Promise<void> {
    const answer = await orDied(
      run.command(
        { kind, reason: "simulated", step, output: { id: 1 }, approved: true, seconds: 60 },
        undefined,
      ),
    );
    if (answer?.kind !== "done") return;
    commands += 1;
    if (step === undefined) return;
    if (/override|skip|rerun|mark/.test(kind)) touched.add(step);
    decided.set(step, { ...decided.get(step), ...decisionOf(kind) });
  }

  function unstick(): void {
    const view = run.view();
    if (view?.status !== "STUCK") return;
    const failed = view.steps.filter(
      ({ state, compensation }) =>
        state === "rejected" ||
        state === "given-up" ||
        compensation === "given-up" ||
        state === "unknown",
    );
    if (isFair() && failed.some(({ name }) => rejecting.has(name)) && chance(0.5)) {
      void command("abandon");
      return;
    }
    for (const { name, kind, error } of failed) {
      if (error?.endsWith("it is not there")) {
        void command("mark-compensated", name); // overridden before its child began
        continue;
      }
      if (kind !== "action") {
        void command("skip-step", name); // what did not come in time comes no more
        continue;
      }
      rejecting.delete(name);
      // A receiver that refused keeps its answer: what is done again is a new effect.
      void command(chance(0.3) ? "rerun-step" : "retry-step", name);
    }
    if (failed.length === 0) void command(chance(0.5) ? "compensate" : "abandon");
    after(5_000, unstick);
  }

  const wishes = chance(0.4) ? 1 + upTo(4) : 0;
  for (let wish = 0; wish < wishes; wish += 1) {
    after(
      upTo(60_000),
      () => void command(pick(COMMANDS.filter((each) => each !== "abandon")), pick(names)),
    );
  }
  // A pause ends, a person decides, and an event comes: early, late, and more than once.
  for (const ms of [70_000, 140_000, 200_000]) after(ms, () => void command("resume"));
  for (const name of names) after(upTo(90_000), () => void command("signal", name));
  for (let copies = 0; copies < 3; copies += 1) {
    after(upTo(60_000), () => void orDied(run.receive(`evt_${upTo(2)}`, PAID)));
  }
  if (chance(0.6)) for (let death = 0; death <= upTo(4); death += 1) after(upTo(60_000), die);
  // An alarm that goes off twice, or while its instance is driven.
  if (chance(0.3)) after(upTo(60_000), ring);

  await run.start(start);
  after(3_600_000 * 24, () => ended.resolve());
  await clock.run(ended.promise);
  // What was late arrives although all is over.
  await clock.advance(QUIET_MS);
  const view = run.view();
  if (view === null) throw new Error("there is no instance");
  violations.push(...faults, ...violationsOf(view, doc, effects, touched, decided));
  const found = [...summaries.values()].find(({ id }) => id === start.id);
  if (found?.status !== view.status) violations.push(`the index has it ${found?.status}`);
  violations.push(...journalViolations(start, rows, view), ...restViolations(rows));
  return {
    ...{ seed, status: view.status, rows: rows.length, requests, deaths, commands, wasStuck },
    violation: violations[0] ?? null,
  };
}
