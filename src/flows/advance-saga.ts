/**
 * One instance of a saga and its driver. Before each request its intent is written down, after it its answer; what
 * follows is planned anew from what is written. So a process may die anywhere, and the next one goes on.
 */
import type { Text } from "../core/crypto.ts";
import { LEDGER_TIMEOUT_MS } from "../core/limits.ts";
import { type CallbackAddress, heardBack } from "../core/saga/callback.ts";
import { undoWished } from "../core/saga/child.ts";
import type { Command } from "../core/saga/commands.ts";
import { isEnded, type Outcome } from "../core/saga/instance.ts";
import {
  SAGA_INDEX_RETRY_MS,
  SAGA_JOURNAL_ROWS_MAX,
  SAGA_STARTING_MS,
  SAGA_WATCHDOG_MS,
} from "../core/saga/limits.ts";
import { migration } from "../core/saga/migrate.ts";
import { plan } from "../core/saga/plan.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import type { Gates } from "../ports/gates.ts";
import { errorText, type Log } from "../ports/log.ts";
import type {
  CallbackAnswer,
  Callbacks,
  CommandAnswer,
  MigrationAnswer,
  MigrationOrder,
  Publisher,
  SagaConfig,
  SagaIndex,
  SagaJournal,
  SagaStart,
  Sagas,
  SagaView,
  UndoAnswer,
} from "../ports/saga.ts";
import type { StreamCrypto } from "../ports/stream-crypto.ts";
import type { Transport } from "../ports/transport.ts";
import { type Judged, judge, judgeMigration } from "./judge-command.ts";
import type { Receivers } from "./receivers.ts";
import { type Known, SagaRecord } from "./saga-record.ts";
import { type AskedCalls, createSagaRequests } from "./saga-requests.ts";
import { summaryOf, viewOf } from "./saga-view.ts";
import type { Tokens } from "./tokens.ts";

export interface SagaPorts {
  readonly callbacks: Pick<Callbacks, "urlOf">;
  readonly clock: Clock;
  readonly config: SagaConfig;
  readonly crypto: StreamCrypto;
  readonly gates: Pick<Gates, "tell">;
  readonly index: SagaIndex;
  readonly journal: SagaJournal;
  readonly log: Log;
  readonly publisher: Publisher;
  readonly random: Random;
  /** Of this isolate. */
  readonly receivers: Receivers;
  /** The other instances: children and parents. */
  readonly sagas: Pick<Sagas, "start" | "view" | "look" | "undo">;
  readonly text: Text;
  /** Of this isolate. */
  readonly tokens: Tokens;
  readonly transport: Transport;
  /** Work that goes on after the answer. */
  defer(work: Promise<unknown>): void;
}

export interface SagaRun {
  /** Starts the instance, or answers that it has been started before. */
  start(start: SagaStart): Promise<{ readonly created: boolean; readonly view: SagaView }>;
  /** Takes an event in, once. False when there is no instance. */
  receive(id: string, event: SagaStart["input"]): Promise<boolean>;
  /** Takes an outcome that comes by itself, once. */
  callback(address: CallbackAddress, outcome: Outcome): Promise<CallbackAnswer>;
  /** A child of this step has news: it is asked. False when there is no instance. */
  look(step: string): Promise<boolean>;
  /** Its parent wants undone what it did. */
  undo(reason: string): Promise<UndoAnswer>;
  command(command: Command, expectedRev: number | undefined): Promise<CommandAnswer>;
  migrate(order: MigrationOrder, expectedRev: number | undefined): Promise<MigrationAnswer>;
  view(): SagaView | null;
  /** Sees that it goes on, without waiting for it. Answers when it was started; null when there is no instance. */
  nudge(): Promise<number | null>;
  /** Drives until nothing is to be done now. `byAlarm`: the alarm that was set has gone off. Never rejects. */
  wake(byAlarm?: boolean): Promise<void>;
  erase(): Promise<void>;
}

export function createSagaRun(ports: SagaPorts): SagaRun {
  const { clock, journal, log } = ports;
  const record = new SagaRecord(journal, clock);
  const requests = createSagaRequests(record, ports);
  let driving: Promise<void> | null = null;
  let armedMs: number | null = null;
  /** When the index has it looked at; undefined when that is not known. */
  let indexedMs: number | null | undefined;
  let telling: Promise<void> = Promise.resolve();

  async function arm(atMs: number | null): Promise<void> {
    if (armedMs === atMs && atMs !== null) return;
    armedMs = atMs;
    try {
      await journal.setAlarm(atMs);
    } catch (error) {
      armedMs = null;
      throw error;
    }
  }

  /**
   * An alarm always stands behind a drive: whatever happens to the process, it is woken again. True when it had
   * to be set, and so much may have happened since.
   */
  async function watch(): Promise<boolean> {
    const nowMs = clock.nowMs();
    // An alarm of a wait of days is no watchdog.
    const aheadMs = (armedMs ?? nowMs) - nowMs;
    const isWatched = aheadMs >= SAGA_WATCHDOG_MS / 2 && aheadMs <= SAGA_WATCHDOG_MS;
    if (!isWatched) await arm(nowMs + SAGA_WATCHDOG_MS);
    return !isWatched;
  }

  async function drive(): Promise<void> {
    for (;;) {
      const { known } = record;
      if (known === null) return;
      const next = plan(known.instance, clock.nowMs(), new Set(requests.live.keys()));
      if (next.kind !== "sleep" && record.rev >= SAGA_JOURNAL_ROWS_MAX) {
        const reason = `its journal has ${record.rev} rows: it goes round in a circle`;
        record.note([{ kind: "status", status: "STUCK", reason }]);
      } else if (next.kind === "decide") record.note(next.entries);
      else if (next.kind === "call") {
        const { facts } = record;
        const isWatched = !(await watch());
        const calls = isWatched ? await requests.ask(next.calls) : null;
        // A person may have paused or migrated it meanwhile: what was planned is planned anew.
        if (record.facts !== facts) calls?.giveBack();
        else makeOrGiveBack(calls);
      } else if (requests.live.size > 0) {
        record.commit();
        await watch();
        await Promise.race([...requests.live.values(), record.written]);
      } else if (await rest(known, next.untilMs)) return;
    }
  }

  /** What cannot be written down is not sent: its slots at the gates are for others. */
  function makeOrGiveBack(calls: AskedCalls | null): void {
    try {
      calls?.make();
    } catch (error) {
      calls?.giveBack();
      throw error;
    }
  }

  /** Tells the index how it stands, and when to look at it. False when the index did not answer. */
  async function tell({ start, instance }: Known, dueAtMs: number | null): Promise<boolean> {
    const late = () => new Error("the index did not answer in time");
    const summary = summaryOf(start, instance, record.rows, dueAtMs);
    indexedMs = undefined;
    telling = within(ports.index.put(summary), LEDGER_TIMEOUT_MS, clock, late);
    try {
      await telling;
      indexedMs = summary.dueAtMs;
      return true;
    } catch (error) {
      log.warn("saga-not-indexed", { saga: start.id, error: errorText(error) });
      return false;
    }
  }

  /**
   * Before something is written down that it must wake for, the index knows that it is due: the process may die
   * right after, and the alarm with it. An index that does not answer holds nothing up.
   */
  async function foretell(): Promise<void> {
    await telling.catch(() => {});
    const { known } = record;
    const soonMs = clock.nowMs() + SAGA_STARTING_MS;
    if (known === null || (typeof indexedMs === "number" && indexedMs <= soonMs)) return;
    await tell(known, clock.nowMs() + SAGA_WATCHDOG_MS);
  }

  /** Whether it may rest: the index knows how it stands, and the alarm when it goes on. */
  async function rest({ start, instance }: Known, untilMs: number | null): Promise<boolean> {
    record.commit();
    const { rev } = record;
    // While its parent has not heard of its end, the index says when it is told again.
    const isTold = !isEnded(instance.status) || (await tellParent(start));
    const dueAtMs = isEnded(instance.status) ? null : untilMs;
    let wakeAtMs = isTold ? dueAtMs : clock.nowMs() + SAGA_INDEX_RETRY_MS;
    if (!(await tell({ start, instance }, wakeAtMs))) {
      const againAtMs = clock.nowMs() + SAGA_INDEX_RETRY_MS;
      wakeAtMs = Math.min(wakeAtMs ?? againAtMs, againAtMs);
    }
    if (record.rev !== rev) return false;
    await arm(wakeAtMs === null ? null : Math.max(wakeAtMs, clock.nowMs() + 1));
    return record.rev === rev;
  }

  /** That its child has ended. False when it could not be told. */
  async function tellParent({ id, parent }: SagaStart): Promise<boolean> {
    if (parent === undefined) return true;
    try {
      const late = () => new Error("the parent did not answer in time");
      await within(ports.sagas.look(parent.id, parent.step), LEDGER_TIMEOUT_MS, clock, late);
      return true;
    } catch (error) {
      log.warn("saga-parent-not-told", { saga: id, parent: parent.id, error: errorText(error) });
      return false;
    }
  }

  function wake(byAlarm = false): Promise<void> {
    if (byAlarm) armedMs = null;
    driving ??= drive()
      .catch(async (error: unknown) => {
        const saga = record.known?.start.id ?? "";
        log.error("saga-not-driven", { saga, error: errorText(error) });
        await arm(clock.nowMs() + SAGA_WATCHDOG_MS).catch(() => {});
      })
      .finally(() => {
        driving = null;
      });
    return driving;
  }

  /** The alarm first, then the drive, which need not be waited for. */
  async function setOff(): Promise<void> {
    await watch();
    ports.defer(wake());
  }

  async function carryOut(judged: () => Judged): Promise<CommandAnswer> {
    const first = judged();
    if (first.kind !== "allowed" && first.kind !== "repeated") return first;
    if (first.kind === "allowed") await foretell();
    // Meanwhile another may have come.
    const now = judged();
    if (now.kind === "allowed") record.append(now.entries, now.actor);
    else if (now.kind !== "repeated") return now;
    await setOff();
    return { kind: "done", view: view() as SagaView };
  }

  const isNews = ({ instance }: Known, event: string): boolean =>
    !isEnded(instance.status) && !instance.inbox.has(event);

  const viewOfKnown = ({ start, instance }: Known): SagaView =>
    viewOf(start, instance, record.rows, requests.live.size);
  const view = (): SagaView | null => (record.known === null ? null : viewOfKnown(record.known));

  return {
    async start(start) {
      const created = record.known === null;
      if (created) {
        record.begin(start);
        await setOff();
      }
      // Its first row has the first intent as well; where the drive did not get there, the start stands by itself.
      if (!record.isKept) await Promise.race([record.written, driving]);
      if (!record.isKept) record.commit();
      return { created, view: view() as SagaView };
    },

    async receive(id, event) {
      const { known } = record;
      if (known === null) return false;
      if (!isNews(known, id)) return true;
      await foretell();
      if (record.known === null) return false;
      if (isNews(record.known, id)) record.append([{ kind: "event", id, event }], { by: "event" });
      await setOff();
      return true;
    },

    async callback(address, outcome) {
      const random = ports.random.unit();
      const judged = () =>
        record.known === null
          ? ({ kind: "unknown" } as const)
          : heardBack(record.known.instance, address, outcome, { nowMs: clock.nowMs(), random });
      const first = judged();
      if (first.kind !== "taken") return first.kind;
      await foretell();
      const heard = judged();
      if (heard.kind !== "taken") return heard.kind;
      record.append([heard.entry], { by: "callback" });
      await setOff();
      return "taken";
    },

    async look(name) {
      if (record.known === null) return false;
      await foretell();
      const { known } = record;
      if (known === null || isEnded(known.instance.status)) return known !== null;
      const step = known.instance.saga.steps.findIndex((each) => each.name === name);
      const state = known.instance.steps[step];
      if (state?.forward === "waiting" || state?.undo === "waiting") {
        record.append([{ kind: "due", step }], { by: "child" });
        await setOff();
        return true;
      }
      // What it is answered just now may be older than the news.
      requests.lookAgain(step);
      return true;
    },

    async undo(reason) {
      const wished = () => undoWished(record.known?.instance ?? null, reason);
      const first = wished();
      if (first.entry === null) return first.answer;
      await foretell();
      const { entry, answer } = wished();
      if (entry === null) return answer;
      record.append([entry], { by: "parent", reason });
      await setOff();
      return answer;
    },

    command: (command, expectedRev) => carryOut(() => judge(record, command, expectedRev, ports)),

    async migrate(order, expectedRev) {
      const { known, rev } = record;
      if (known === null) return { kind: "unknown" };
      if (!order.dryRun) {
        return carryOut(() =>
          judgeMigration(record, order, expectedRev, requests.live.size, ports),
        );
      }
      const { start, instance } = known;
      const compared = migration(instance, start.doc, order.doc);
      return { kind: "compared", ...compared, rev, version: start.version };
    },

    view,
    wake,

    async nudge() {
      if (record.known === null) return null;
      const { startedAtMs } = record.known.start;
      await setOff();
      return startedAtMs;
    },

    async erase() {
      await record.erase();
      armedMs = null;
    },
  };
}
