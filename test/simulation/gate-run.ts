/** One seed: a gate, consumers that die, a ledger of what is parked, and a receiver with troubles of its own. */
import type { Ask, GateAnswer, GateConfig, Grant, Refusal } from "../../src/core/gate/index.ts";
import { expecting, next, parked, released } from "../../src/core/gate/keeper.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import { createAgenda } from "./agenda.ts";
import { createChance } from "./chance.ts";
import { type Attempted, createGateWatch } from "./gate-watch.ts";
import { type AnswerKind, holdGate, type Reply, type Running, work } from "./gate-world.ts";

const START_MS = Date.UTC(2026, 0, 1, 22);
const TIMEOUT_MS = 5_000;
const HOUR_MS = 3_600_000;

export interface Item {
  readonly number: number;
  readonly priority: Priority;
  readonly isPoison: boolean;
  attempts: number;
  isOver: boolean;
  /** Parked, and the gate was told of it. */
  isTold: boolean;
}

export interface GateOutcome {
  readonly requests: number;
  readonly deaths: number;
  readonly refusals: Readonly<Record<string, number>>;
  readonly openings: number;
  readonly hours: number;
  readonly violation: string | null;
}

/** What a consumer asks for. */
interface Visit {
  readonly batch: readonly Item[];
  /** Of the batch, those that were attempted before, and the others. */
  readonly again: readonly Item[];
  readonly fresh: readonly Item[];
  readonly isReleased: boolean;
  /** How often it asked for these before. */
  readonly asks: number;
}

/** How the receiver behaves for a while. */
interface Mood {
  readonly untilMs: number;
  readonly capacity: number;
  readonly shares: Partial<Record<AnswerKind, number>>;
  readonly retryAfterMs: number | null;
  readonly durationMs: readonly [number, number];
}

export function runGate(seed: number): GateOutcome {
  const chance = createChance(seed);
  const agenda = createAgenda(START_MS);
  const config: GateConfig = {
    concurrency: chance.pick([1, 3, 6, 20]),
    perSecond: chance.pick([null, null, 0.5, 5, 40]),
    perDay: chance.happens(0.15) ? chance.between(40, 200) : null,
    isAdaptive: chance.happens(0.4),
  };
  const isSick = chance.happens(0.7);
  const gate = holdGate(config, agenda, () => chance.unit(), true);
  const watch = createGateWatch(config, gate, agenda, isSick);
  const ledger: Record<Priority, Item[]> = { critical: [], normal: [], bulk: [] };
  const items: Item[] = [];
  const refusals: Record<string, number> = {};
  const calmMs = START_MS + chance.between(60_000, 900_000);
  const moods = moodsOf(chance, isSick, calmMs);
  let [leases, deaths, alarmAtMs, open] = [0, 0, Number.POSITIVE_INFINITY, 0];
  const soon = (ms: number, what: () => void): void => agenda.at(agenda.nowMs() + ms, what);

  /** A consumer's part of a batch for this target. */
  function visit(batch: readonly Item[], isReleased: boolean, asks: number): void {
    const [first] = batch;
    if (first === undefined) return;
    leases += 1;
    const lease = `lease-${leases}`;
    const again = batch.filter(({ attempts }) => attempts > 0);
    const fresh = batch.filter(({ attempts }) => attempts === 0);
    const want = { fresh: fresh.length, retries: again.length };
    const { priority } = first;
    const ttlMs = chance.pick([8_000, 20_000, 60_000]);
    const ask = { lease, want, priority, isReleased, mayWait: isReleased, ttlMs };
    gate.attend(ask, (answer) => {
      watch.asked(ask, answer, ledger);
      // Its answer is on the way while the call goes on that freed its slots.
      soon(0, () => answered(ask, answer, { batch, again, fresh, isReleased, asks }));
    });
  }

  function answered(
    ask: Ask,
    answer: GateAnswer,
    { batch, again, fresh, isReleased, asks }: Visit,
  ): void {
    const refused: Refusal | null = answer.kind === "refused" ? answer : answer.refused;
    if (refused !== null) refusals[refused.reason] = (refusals[refused.reason] ?? 0) + 1;
    if (answer.kind === "refused") {
      park(batch);
      return;
    }
    const retries = again.slice(0, answer.retries);
    const chosen = [...retries, ...fresh.slice(0, answer.count - retries.length)];
    const rest = batch.filter((item) => !chosen.includes(item));
    const isKept = asks < 2 && chance.happens(0.7);
    if (!isKept) park(rest);
    const kept = isKept ? rest : [];
    consume(ask, answer, { chosen, kept }, (left) => {
      if (left.length === chosen.length + kept.length) park(left);
      else visit(left, isReleased, asks + 1);
    });
  }

  function consume(
    ask: Ask,
    grant: Grant,
    { chosen, kept }: { readonly chosen: readonly Item[]; readonly kept: readonly Item[] },
    onDone: (left: readonly Item[]) => void,
  ): void {
    let isOver = false;
    const sentOf: Attempted[] = [];
    const running: { current: Running<Item> | null } = { current: null };
    running.current = work<Item>(
      {
        ...{ grant, ask, items: chosen, beside: kept, timeoutMs: TIMEOUT_MS },
        isRetry: ({ attempts }) => attempts > 0,
        send: (item, by) => receive(item, by, sentOf),
        asked: (more, answer) => watch.asked(more, answer, ledger),
        settle: (item, reply) => {
          watch.wished(reply);
          settle(item, reply);
        },
        done: (left) => {
          isOver = true;
          watch.reported(grant, sentOf);
          soon(1, () => onDone(left));
          ring();
        },
      },
      gate,
      agenda,
    );
    if (!chance.happens(0.06)) return;
    soon(chance.between(0, 3_000), () => {
      if (isOver) return;
      deaths += 1;
      const lost = running.current?.die() ?? [];
      // Its messages come again when its claim has ended.
      agenda.at(grant.expiresAtMs + chance.between(0, 5_000), () => {
        for (const priority of PRIORITIES) {
          const back = lost.filter((item) => item.priority === priority && !item.isOver);
          visit(back, chance.happens(0.5), 0);
        }
      });
    });
  }

  function receive(item: Item, grant: Grant, sentOf: Attempted[]): Reply {
    const mood = moods.find(({ untilMs }) => agenda.nowMs() < untilMs);
    const reply = answerOf(item, mood);
    const { priority } = item;
    const attempted = { priority, isRetry: item.attempts > 0, reply };
    sentOf.push(attempted);
    watch.began(attempted, grant);
    open += 1;
    soon(reply.durationMs, () => {
      open -= 1;
      watch.ended(attempted);
    });
    return reply;
  }

  function answerOf(item: Item, mood: Mood | undefined): Reply {
    const [low, high] = mood?.durationMs ?? [20, 200];
    const durationMs = chance.between(low, high);
    const asked = mood?.retryAfterMs ?? null;
    const retryAfter = asked === null ? {} : { retryAfterMs: chance.between(1_000, asked) };
    if (open >= (mood?.capacity ?? 1e9)) return { kind: "dropped", durationMs: 5, ...retryAfter };
    let roll = chance.unit();
    for (const kind of ["failed", "dropped", "timedOut"] as const) {
      roll -= mood?.shares[kind] ?? 0;
      if (roll >= 0) continue;
      if (kind === "timedOut") return { kind, durationMs: TIMEOUT_MS };
      return { kind, durationMs: 10, ...(kind === "dropped" ? retryAfter : {}) };
    }
    return { kind: item.isPoison ? "rejected" : "ok", durationMs };
  }

  function settle(item: Item, { kind }: Reply): void {
    item.attempts += 1;
    item.isOver = kind === "ok" || (kind === "rejected" && item.attempts >= 3);
    if (item.isOver) return;
    soon(Math.min(300, 5 * 2 ** item.attempts) * 1_000, () => visit([item], false, 0));
  }

  function park(batch: readonly Item[]): void {
    const isTold = !chance.happens(0.05);
    for (const item of batch) {
      item.isTold = isTold;
      ledger[item.priority].push(item);
    }
    for (const priority of PRIORITIES) {
      const count = batch.filter((item) => item.priority === priority).length;
      if (count === 0 || !isTold) continue;
      gate.change(parked(gate.state(), { priority, count }, agenda.nowMs()));
      watch.told(priority);
    }
    ring();
  }

  /** What the Durable Object does at its alarm, and after each call. */
  function ring(): void {
    const { release, retries, wakeAtMs } = next(gate.state(), config, agenda.nowMs());
    if (release > 0) watch.releasing(release);
    let [left, again] = [release, retries];
    for (const priority of PRIORITIES) {
      if (left === 0) break;
      const going = ledger[priority].filter(({ attempts }) => {
        const mayGo = left > 0 && (attempts === 0 || again > 0);
        if (mayGo) left -= 1;
        if (mayGo && attempts > 0) again -= 1;
        return mayGo;
      });
      ledger[priority] = ledger[priority].filter((item) => !going.includes(item));
      const isEmpty = ledger[priority].length === 0;
      const said = { priority, count: going.length, isEmpty, areRetries: !isEmpty && left > 0 };
      gate.change(released(gate.state(), said, agenda.nowMs()));
      const retries = going.filter(({ attempts }) => attempts > 0).length;
      const counts = { fresh: going.length - retries, retries };
      gate.change(expecting(gate.state(), counts, agenda.nowMs()));
      watch.told(priority);
      if (going.length === 0) continue;
      // A message that is lost is sent again by the sweeper, as one that was never parked.
      const isLost = chance.happens(0.03);
      soon(isLost ? 60_000 : chance.between(5, 300), () => visit(going, !isLost, 0));
    }
    if (wakeAtMs === null || wakeAtMs === alarmAtMs) return;
    alarmAtMs = wakeAtMs;
    const isLost = chance.happens(0.03);
    agenda.at(wakeAtMs, () => {
      if (isLost || alarmAtMs !== wakeAtMs) return;
      alarmAtMs = Number.POSITIVE_INFINITY;
      ring();
    });
  }

  /** The ledger is the truth: the sweeper tells the gate of what is parked, and wakes it. */
  function sweep(): void {
    for (const priority of PRIORITIES) {
      if (ledger[priority].length === 0) continue;
      gate.change(parked(gate.state(), { priority, count: 1 }, agenda.nowMs()));
    }
    alarmAtMs = Number.POSITIVE_INFINITY;
    ring();
    soon(60_000, sweep);
  }

  const batches = chance.between(5, 30);
  for (let batch = 0; batch < batches; batch += 1) {
    const priority = chance.pick(PRIORITIES);
    // So many that, where they fail together, most of their retries wait for tokens.
    const length = chance.happens(0.03) ? 120 : chance.pick([1, 1, 5, 30]);
    const made = Array.from({ length }, (_, index) => {
      const isPoison = chance.happens(0.1);
      return { number: items.length + index, priority, isPoison, ...FRESH };
    });
    items.push(...made);
    agenda.at(START_MS + chance.between(0, 300_000), () => visit(made, false, 0));
  }
  soon(60_000, sweep);
  const endMs = calmMs + (config.perDay === null ? 12 : 24 * 20) * HOUR_MS;
  const isOver = (): boolean => watch.violation() !== null || items.every((item) => item.isOver);
  agenda.run(endMs, isOver);
  const stuck = items.filter((item) => !item.isOver).length;
  const left = stuck === 0 ? null : `${stuck} of ${items.length} deliveries never left`;
  return {
    ...{ requests: watch.requests(), deaths, refusals },
    openings: gate.state().breaker.openings,
    hours: (agenda.nowMs() - START_MS) / HOUR_MS,
    violation: watch.violation() ?? left,
  };
}

const FRESH = { attempts: 0, isOver: false, isTold: false };

function moodsOf(
  chance: ReturnType<typeof createChance>,
  isSick: boolean,
  calmMs: number,
): readonly Mood[] {
  const moods: Mood[] = [];
  for (let atMs = START_MS; atMs < calmMs; ) {
    const kind = isSick
      ? chance.pick(["well", "fails", "hangs", "half", "throttles", "small"])
      : "well";
    atMs += chance.between(5_000, 240_000);
    const shares = {
      ...{ well: {}, fails: { failed: 1 }, hangs: { timedOut: 1 }, half: { failed: 0.5 } },
      ...{ throttles: { dropped: 0.8 }, small: {} },
    }[kind];
    moods.push({
      ...{
        untilMs: Math.min(atMs, calmMs),
        capacity: kind === "small" ? chance.between(1, 4) : 1e9,
      },
      shares: shares ?? {},
      retryAfterMs: kind === "throttles" ? chance.between(2, 90) * 1_000 : null,
      durationMs: chance.pick([
        [5, 30],
        [100, 900],
      ]),
    });
  }
  return moods;
}
