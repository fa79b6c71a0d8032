/**
 * One saga in bad weather, by a seed: the real driver over a journal in memory, receivers that honour keys, requests
 * and answers that are lost or late, processes that die, and a person who decides in between.
 */
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { CallbackAddress } from "../../src/core/saga/callback.ts";
import { COMMANDS, type Command } from "../../src/core/saga/commands.ts";
import { isEnded } from "../../src/core/saga/instance.ts";
import { pack, unpack } from "../../src/core/saga/text.ts";
import { createSagaRun, type SagaRun } from "../../src/flows/advance-saga.ts";
import type { JournalRow, SagaEvent, SagaStart } from "../../src/ports/saga.ts";
import type { OutgoingRequest } from "../../src/ports/transport.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createMemorySagaIndex } from "../support/memory-sagas.ts";
import { createMemoryLog, createSeededRandom } from "../support/memory-system.ts";
import { randomSaga, stepsOf } from "./random-saga.ts";
import { journalViolations, violationsOf } from "./saga-balance.ts";
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

/** From then on nothing fails any more. */
const WEATHER_MS = 120_000;
/** Far more than any of these sagas needs. */
const ROWS_MAX = 3_000;
const PAID = { type: "paid" };
const CHILD = { version: 1, createdAtMs: 1, doc: { steps: [] } };

/** `isForgetful`: whenever no request is under way, the object leaves the memory. */
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
  const rejecting = new Set(
    doc.steps.flatMap(stepsOf).flatMap(({ name }) => (chance(0.1) ? [name] : [])),
  );
  const start: SagaStart = {
    ...{ id: "sga_1", tenant: "acme", saga: "s", version: 1, doc, key: "k", correlationId: null },
    ...{ input: { n: seed }, startedAtMs: startMs },
  };

  // What outlives a process: the journal, its alarm, and the receivers.
  const rows: JournalRow[] = [];
  let begun: SagaStart | null = null;
  let alarm: { cancel(): void } | null = null;
  const effects: string[] = [];
  const answers = new Map<string, { readonly answer: Answer; readonly body: string }>();
  const undone = new Set<string>();
  const violations: string[] = [];
  let requests = 0;
  let deaths = 0;
  let commands = 0;
  let wasStuck = false;
  const touched = new Set<string>();

  function receive(request: OutgoingRequest): Answer {
    const step = request.headers.get("signalbox-step") ?? "";
    const key = request.headers.get("idempotency-key") ?? "";
    const body = request.body instanceof Uint8Array ? `${platformText.decode(request.body)}` : "";
    const before = answers.get(key);
    if (before !== undefined) {
      if (before.body !== body) violations.push(`${key} has other bytes than before`);
      return before.answer;
    }
    const undoes = request.headers.get("signalbox-action-key");
    const say = (status: number): Answer => {
      const answer = { kind: "response", status, retryAfterMs: null, body: '{"id":1}' } as const;
      answers.set(key, { answer, body });
      return answer;
    };
    if (undoes !== undefined) {
      undone.add(undoes);
      if (answers.get(undoes)?.answer.kind === "response" && effects.includes(undoes))
        effects.push(key);
      return say(200);
    }
    if (rejecting.has(step) || undone.has(key)) return say(422);
    effects.push(key);
    return say(200);
  }

  function send(request: OutgoingRequest): Promise<Answer> {
    requests += 1;
    if (run.view()?.paused === true) violations.push("a request is made while the saga is paused");
    const sender = life;
    sender.underWay += 1;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const latency = 1 + upTo(300);
    const answer = (ms: number, said: Answer): void =>
      after(ms, () => {
        sender.underWay -= 1;
        resolve(said);
      });
    const weather = isFair() ? 1 : random.unit();
    if (weather < 0.06) answer(request.timeoutMs, { kind: "timeout" });
    else if (weather < 0.12) {
      after(upTo(40_000), () => void receive(request));
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
        if (isFair() || chance(0.9))
          after(upTo(chance(0.3) ? 300 : 40_000), () => callBack(request));
      }
    } else {
      after(latency, () => {
        sender.underWay -= 1;
        resolve(receive(request));
      });
    }
    return promise;
  }

  /** Durable once for a key, although whoever asked may not hear of it. */
  function publish({ key, data }: SagaEvent): Promise<Answer> {
    requests += 1;
    if (run.view()?.paused === true)
      violations.push("an event is published while the saga is paused");
    const sender = life;
    sender.underWay += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const weather = isFair() ? 1 : random.unit();
    after(1 + upTo(300), () => {
      sender.underWay -= 1;
      const answer = {
        kind: "response",
        status: 200,
        retryAfterMs: null,
        body: '{"id":1}',
      } as const;
      if (weather < 0.1) return reject(new Error("the queue is down"));
      if (!answers.has(key)) effects.push(key);
      if ((answers.get(key)?.body ?? data) !== data) violations.push(`${key} has other data`);
      answers.set(key, { answer, body: data });
      return weather < 0.2 ? reject(new Error("it is not known")) : resolve(answer);
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
    void run.callback(address, outcome);
  }

  const weather = { after, upTo, chance, begin, isFair };
  const children = createSimulatedChildren(effects, weather, (step) => void run.look(step));

  /** A call to another instance. */
  function begin(): () => void {
    const own = life;
    own.underWay += 1;
    return () => {
      own.underWay -= 1;
    };
  }

  const ended = Promise.withResolvers<void>();
  const index = createMemorySagaIndex();
  let life = { isOver: false, underWay: 0 };
  let run: SagaRun = born();

  function born(): SagaRun {
    life = { isOver: false, underWay: 0 };
    const own = life;
    const alive = (): void => {
      if (own.isOver) throw new Error("this process has died");
    };
    return createSagaRun({
      ...{ clock, log: createMemoryLog(), random, transport: { send } },
      callbacks: { urlOf: pack },
      publisher: { publish },
      sagas: children,
      ...{
        config: { saga: async () => CHILD, target: async () => null },
        crypto: platformCrypto,
        text: platformText,
      },
      index: {
        begin: index.begin,
        async put(summary) {
          if (!isFair() && chance(0.05)) throw new Error("the index is down");
          await index.put(summary);
        },
      },
      journal: {
        read: () => (begun === null ? null : { start: begun, rows: [...rows] }),
        begin(given) {
          alive();
          begun = given;
        },
        append(row) {
          alive();
          if (rows.length >= ROWS_MAX) {
            violations.unshift("it goes on for ever");
            ended.resolve();
            throw new Error("the journal is full");
          }
          rows.push(row);
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
      if (alarm !== timer) return;
      alarm = null;
      void run.wake(true);
    });
  }

  function die(): void {
    if (isFair() && !isForgetful) return;
    deaths += 1;
    life.isOver = true;
    run = born();
  }

  function written(): void {
    const view = run.view();
    if (view === null) return;
    if (view.status === "STUCK" && !wasStuck) wasStuck = true;
    if (view.status === "STUCK") after(1_000 + upTo(20_000), unstick);
    if (isEnded(view.status)) ended.resolve();
    else if (isForgetful && life.underWay === 0) die();
    if (isForgetful && alarm === null && !isEnded(view.status)) void run.wake();
  }

  async function command(kind: Command["kind"], step: string | undefined): Promise<void> {
    const answer = await run.command(
      { kind, reason: "simulated", step, output: { id: 1 }, approved: true, seconds: 60 },
      undefined,
    );
    if (answer.kind !== "done") return;
    commands += 1;
    const changesEffects = /override|skip|rerun|mark/.test(kind);
    if (changesEffects && step !== undefined) touched.add(step);
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
      void command("abandon", undefined);
      return;
    }
    for (const { name, kind } of failed) {
      if (kind !== "action") {
        void command("skip-step", name); // what did not come in time comes no more
        continue;
      }
      rejecting.delete(name);
      // A receiver that refused keeps its answer: what is done again is a new effect.
      void command(chance(0.3) ? "rerun-step" : "retry-step", name);
    }
    if (failed.length === 0) void command(chance(0.5) ? "compensate" : "abandon", undefined);
    after(5_000, unstick);
  }

  const names = doc.steps.flatMap(stepsOf).map(({ name }) => name);
  const wishes = chance(0.4) ? 1 + upTo(4) : 0;
  for (let wish = 0; wish < wishes; wish += 1) {
    after(
      upTo(60_000),
      () => void command(pick(COMMANDS.filter((each) => each !== "abandon")), pick(names)),
    );
  }
  // A pause ends, a person decides, and an event comes: early, late, and more than once.
  for (const ms of [70_000, 140_000, 200_000]) after(ms, () => void command("resume", undefined));
  for (const name of names) after(upTo(90_000), () => void command("signal", name));
  for (let copies = 0; copies < 3; copies += 1) {
    after(upTo(60_000), () => void run.receive(`evt_${upTo(2)}`, PAID));
  }
  if (chance(0.6)) for (let death = 0; death <= upTo(4); death += 1) after(upTo(60_000), die);

  await run.start(start);
  after(3_600_000 * 24, () => ended.resolve());
  await clock.run(ended.promise);
  // What was late arrives although all is over.
  await clock.advance(120_000);
  const view = run.view();
  if (view === null) throw new Error("there is no instance");
  violations.push(...violationsOf(view, doc, effects, touched));
  violations.push(...journalViolations(start, rows, view));
  return {
    ...{ seed, status: view.status, rows: rows.length, requests, deaths, commands, wasStuck },
    violation: violations[0] ?? null,
  };
}
