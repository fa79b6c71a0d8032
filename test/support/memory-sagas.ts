/** Instances of sagas in memory: the real flow over journals that outlive it, and the index beside them. */
import { createCallbacks } from "../../src/adapters/callbacks.ts";
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { type Entry, isEnded } from "../../src/core/saga/instance.ts";
import { createSagaRun, type SagaRun } from "../../src/flows/advance-saga.ts";
import { createReceivers } from "../../src/flows/receivers.ts";
import { createTokens } from "../../src/flows/tokens.ts";
import type { Clock, Random } from "../../src/ports/clock.ts";
import type { Gates } from "../../src/ports/gates.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Publisher } from "../../src/ports/publisher.ts";
import type {
  JournalRow,
  SagaConfig,
  SagaJournal,
  SagaStart,
  Sagas,
} from "../../src/ports/saga.ts";
import type {
  SagaDirectory,
  SagaEntry,
  SagaQuery,
  SagaSummary,
} from "../../src/ports/saga-index.ts";
import type { Transport } from "../../src/ports/transport.ts";
import { createSeededRandom } from "./memory-system.ts";

export interface MemoryJournal extends SagaJournal {
  start: SagaStart | null;
  readonly rows: JournalRow[];
  alarmAtMs: number | null;
  /** Rows written and alarms set, as a Durable Object bills them. */
  written: number;
}

export interface MemorySagas extends Sagas {
  readonly index: SagaDirectory;
  readonly summaries: ReadonlyMap<string, SagaSummary>;
  /** The entry of an instance; undefined where there is none. */
  summary(id: string): SagaSummary | undefined;
  readonly journals: ReadonlyMap<string, MemoryJournal>;
  /** The objects leave the memory; the next call reads their journals. */
  evict(): void;
  /** Lets every alarm that is due go off, and waits for what it does. */
  alarms(): Promise<void>;
}

export interface MemorySagaParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Transport;
  readonly random?: Random;
  /** What is configured; nothing, unless it says otherwise. */
  readonly config?: Partial<SagaConfig>;
  readonly publisher?: Publisher;
  /** Of targets; that of none is asked, unless one is given. */
  readonly gates?: Pick<Gates, "tell">;
  /** In place of the index, for failures. */
  readonly index?: Partial<SagaDirectory>;
  /**
   * The process dies with every transaction, before a request leaves, and the next one is set off at once. Only a
   * request whose twin the death before held up goes out, and while one is under way nobody dies.
   */
  readonly dies?: boolean;
}

export function createMemorySagas(parts: MemorySagaParts): MemorySagas {
  const { clock, log, transport, random = createSeededRandom(1), dies = false } = parts;
  const journals = new Map<string, MemoryJournal>();
  const summaries = new Map<string, SagaSummary>();
  const runs = new Map<string, SagaRun>();
  const work = new Set<Promise<unknown>>();
  const lives = new Set<Life>();
  const heldUp = new Map<string, ReadonlySet<string>>();
  /** What the dead complain about is no failure of the living. */
  const logOf = (life: Life): Log => ({
    info: (...line) => life.isDying || log.info(...line),
    warn: (...line) => life.isDying || log.warn(...line),
    error: (...line) => life.isDying || log.error(...line),
  });
  const index = { ...createMemorySagaIndex(summaries), ...parts.index };
  const [receivers, tokens] = [createReceivers(), createTokens()];

  function runOf(id: string): SagaRun {
    const running = runs.get(id);
    if (running !== undefined) return running;
    const journal = journals.get(id) ?? createMemoryJournal();
    journals.set(id, journal);
    const life: Life = { isOver: false, isDying: false, heldUp: heldUp.get(id) ?? NOTHING };
    lives.add(life);
    let underWay = 0;
    const send: Transport["send"] = async (request) => {
      if (life.isDying) return { kind: "network", detail: "the process has died" };
      underWay += 1;
      try {
        return await transport.send(request);
      } finally {
        underWay -= 1;
      }
    };
    function written(entries: readonly Entry[]): void {
      const made = new Set(entries.flatMap(requestOf));
      const isTwin = made.size > 0 && [...made].every((request) => life.heldUp.has(request));
      heldUp.set(id, isTwin ? NOTHING : made);
      life.heldUp = NOTHING;
      if (!dies || isTwin || underWay > 0 || life.isDying) return;
      life.isDying = true;
      queueMicrotask(() => {
        life.isOver = true;
        if (runs.get(id) === run) runs.delete(id);
        if (journal.start !== null) void runOf(id).wake();
      });
    }
    const run = createSagaRun({
      ...{ clock, index, log: logOf(life), random, transport: { send } },
      ...{ crypto: platformCrypto, text: platformText },
      callbacks: memoryCallbacks,
      publisher: parts.publisher ?? { publish: () => Promise.reject(new Error("no publisher")) },
      gates: parts.gates ?? { tell: () => Promise.reject(new Error("there are no gates")) },
      ...{ receivers, tokens },
      config: { saga: async () => null, target: async () => null, ...parts.config },
      sagas: instances,
      journal: mortal(journal, life, written),
      defer(promise) {
        work.add(promise);
        void promise.finally(() => work.delete(promise));
      },
    });
    runs.set(id, run);
    return run;
  }

  const instances: MemorySagas = {
    index,
    summaries,
    journals,
    summary: (id) => [...summaries.values()].find((each) => each.id === id),
    start: (start) => runOf(start.id).start(start),
    view: async (id) => (journals.has(id) ? runOf(id).view() : null),
    look: async (id, step) => (journals.has(id) ? runOf(id).look(step) : false),
    undo: (id, reason) => runOf(id).undo(reason),
    callback: (address, outcome) => runOf(address.id).callback(address, outcome),
    command: (id, command, expectedRev) => runOf(id).command(command, expectedRev),
    migrate: (id, order, expectedRev) => runOf(id).migrate(order, expectedRev),
    receive: (id, eventId, event) => runOf(id).receive(eventId, event),
    wake: async (id) => (journals.has(id) ? runOf(id).nudge() : null),
    async erase(id) {
      await runOf(id).erase();
      runs.delete(id);
    },
    evict() {
      for (const life of lives) life.isOver = true;
      for (const all of [lives, runs, work]) all.clear();
    },
    async alarms() {
      await Promise.all(work);
      const due = [...journals].filter(
        ([, { alarmAtMs }]) => alarmAtMs !== null && alarmAtMs <= clock.nowMs(),
      );
      for (const [, journal] of due) journal.alarmAtMs = null;
      await Promise.all(due.map(([id]) => runOf(id).wake(true)));
    },
  };
  return instances;
}

/** As the router has them that does not know its own address. */
export const memoryCallbacks = createCallbacks([new Uint8Array(32)], "");

interface Life {
  isOver: boolean;
  /** From a write to the end of its turn, in which an alarm is set but nothing leaves. */
  isDying: boolean;
  /** Requests that the life before wrote down and did not make. */
  heldUp: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();
const requestOf = (entry: Entry): string[] =>
  entry.kind === "request" ? [`${entry.step} ${entry.direction}`] : [];

/** What a dead process still does reaches no storage. */
function mortal(
  journal: MemoryJournal,
  life: Life,
  written: (entries: readonly Entry[]) => void,
): SagaJournal {
  const alive = (): void => {
    if (life.isOver) throw new Error("this process has died");
  };
  return {
    read: () => journal.read(),
    begin(start, first) {
      alive();
      journal.begin(start, first);
      written(first?.entries ?? []);
    },
    append(row) {
      alive();
      journal.append(row);
      written(row.entries);
    },
    async setAlarm(atMs) {
      alive();
      await journal.setAlarm(atMs);
    },
    async erase() {
      alive();
      await journal.erase();
    },
  };
}

export function createMemoryJournal(): MemoryJournal {
  const rows: JournalRow[] = [];
  const journal: MemoryJournal = {
    ...{ start: null, rows, alarmAtMs: null, written: 0 },
    read: () => (journal.start === null ? null : { start: journal.start, rows: [...rows] }),
    begin(start, first) {
      journal.start = start;
      if (first !== null) rows.push(first);
      journal.written += 1;
    },
    append(row) {
      rows.push(row);
      journal.written += 1;
    },
    async setAlarm(atMs) {
      journal.alarmAtMs = atMs;
      if (atMs !== null) journal.written += 1;
    },
    async erase() {
      rows.length = 0;
      journal.start = null;
      journal.alarmAtMs = null;
    },
  };
  return journal;
}

const matches = (each: SagaSummary, tenant: string, query: SagaQuery): boolean =>
  each.tenant === tenant &&
  each.saga === (query.saga ?? each.saga) &&
  each.status === (query.status ?? each.status) &&
  each.step === (query.step ?? each.step) &&
  each.paused === (query.paused ?? each.paused) &&
  each.correlationId === (query.correlationId ?? each.correlationId) &&
  each.startedAtMs >= (query.fromMs ?? 0) &&
  each.startedAtMs < (query.toMs ?? Number.MAX_SAFE_INTEGER) &&
  !(query.isOpen === true && each.status !== "STARTING" && isEnded(each.status));

/** `summaries`: by the time of their start and their id, as in the real one. */
export function createMemorySagaIndex(summaries = new Map<string, SagaSummary>()): SagaDirectory {
  const nameOf = ({ tenant, startedAtMs, id }: SagaEntry) => `${tenant} ${startedAtMs} ${id}`;
  return {
    async begin(summary) {
      if (!summaries.has(nameOf(summary))) summaries.set(nameOf(summary), summary);
    },
    async put(summary) {
      const before = summaries.get(nameOf(summary));
      const isNewer =
        before === undefined ||
        before.status === "STARTING" ||
        summary.rev > before.rev ||
        (summary.rev === before.rev && summary.dueAtMs !== before.dueAtMs);
      if (isNewer) summaries.set(nameOf(summary), summary);
    },
    async list(tenant, query, after, count) {
      const position = ({ startedAtMs, id }: { startedAtMs: number; id: string }): string =>
        `${String(startedAtMs).padStart(16, "0")} ${id}`;
      const all = [...summaries.values()]
        .filter(
          (each) =>
            matches(each, tenant, query) && (after === null || position(each) < position(after)),
        )
        .sort((a, b) => (position(a) < position(b) ? 1 : -1));
      const items = all.slice(0, count);
      const last = all.length > count ? items.at(-1) : undefined;
      return { items, next: last === undefined ? null : last };
    },
    count: async (tenant, query, countMax) =>
      Math.min(
        countMax,
        [...summaries.values()].filter((each) => matches(each, tenant, query)).length,
      ),
    overdue: async (beforeMs, count) =>
      [...summaries.values()]
        .filter(({ dueAtMs }) => dueAtMs !== null && dueAtMs < beforeMs)
        .sort((a, b) => (a.dueAtMs ?? 0) - (b.dueAtMs ?? 0))
        .slice(0, count)
        .map(({ tenant, id, startedAtMs, status }) => {
          return { tenant, id, startedAtMs, isStarting: status === "STARTING" };
        }),
    async forget(entry) {
      summaries.delete(nameOf(entry));
    },
    ofTenant: async (tenant, beforeMs, count) =>
      [...summaries.values()]
        .filter((each) => each.tenant === tenant && each.startedAtMs < beforeMs)
        .slice(0, count)
        .map(({ startedAtMs, id }) => ({ tenant, startedAtMs, id })),
  };
}
