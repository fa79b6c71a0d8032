/**
 * One instance of a saga and its driver. Before each request its intent is written down, after it its answer; what
 * follows is planned anew from what is written. So a process may die anywhere, and the next one goes on.
 */
import type { Crypto, Text } from "../core/crypto.ts";
import {
  LEDGER_TIMEOUT_MS,
  SAGA_INDEX_RETRY_MS,
  SAGA_JOURNAL_ROWS_MAX,
  SAGA_WATCHDOG_MS,
} from "../core/limits.ts";
import { type CallbackAddress, heardBack } from "../core/saga/callback.ts";
import { undoWished } from "../core/saga/child.ts";
import { type Command, commanded } from "../core/saga/commands.ts";
import { isEnded, type Outcome } from "../core/saga/instance.ts";
import { plan } from "../core/saga/plan.ts";
import { type Clock, type Random, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type {
  CallbackAnswer,
  Callbacks,
  CommandAnswer,
  Publisher,
  SagaConfig,
  SagaIndex,
  SagaJournal,
  SagaStart,
  Sagas,
  SagaView,
  UndoAnswer,
} from "../ports/saga.ts";
import type { Transport } from "../ports/transport.ts";
import { type Known, SagaRecord } from "./saga-record.ts";
import { createSagaRequests } from "./saga-requests.ts";
import { summaryOf, viewOf } from "./saga-view.ts";

export interface SagaPorts {
  readonly callbacks: Pick<Callbacks, "urlOf">;
  readonly clock: Clock;
  readonly config: SagaConfig;
  readonly crypto: Crypto;
  readonly index: SagaIndex;
  readonly journal: SagaJournal;
  readonly log: Log;
  readonly publisher: Publisher;
  readonly random: Random;
  /** The other instances: children and parents. */
  readonly sagas: Pick<Sagas, "start" | "view" | "look" | "undo">;
  readonly text: Text;
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
  view(): SagaView | null;
  /** Sees that it goes on, without waiting for it. False when there is no instance. */
  nudge(): Promise<boolean>;
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
    const isWatched = armedMs !== null && armedMs >= nowMs + SAGA_WATCHDOG_MS / 2;
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
        // A person may have paused it meanwhile: what was planned is planned anew.
        if (!(await watch())) requests.make(next.calls);
      } else if (requests.live.size > 0) {
        record.commit();
        await watch();
        await Promise.race([...requests.live.values(), record.written]);
      } else if (await rest(known, next.untilMs)) return;
    }
  }

  /** Whether it may rest: the index knows how it stands, and the alarm when it goes on. */
  async function rest({ start, instance }: Known, untilMs: number | null): Promise<boolean> {
    record.commit();
    const { rev } = record;
    const wakesAtMs = isEnded(instance.status) ? null : untilMs;
    const late = () => new Error("the index did not answer in time");
    // While its parent has not heard of its end, the index says when it is told again.
    const isTold = !isEnded(instance.status) || (await tellParent(start));
    let wakeAtMs = isTold ? wakesAtMs : clock.nowMs() + SAGA_INDEX_RETRY_MS;
    try {
      const put = ports.index.put(summaryOf(start, instance, record.rows, wakeAtMs));
      await within(put, LEDGER_TIMEOUT_MS, clock, late);
    } catch (error) {
      log.warn("saga-not-indexed", { saga: start.id, error: errorText(error) });
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
      return { created, view: view() as SagaView };
    },

    async receive(id, event) {
      const { known } = record;
      if (known === null) return false;
      if (isEnded(known.instance.status) || known.instance.inbox.has(id)) return true;
      record.append([{ kind: "event", id, event }], { by: "event" });
      await setOff();
      return true;
    },

    async callback(address, outcome) {
      const { known } = record;
      if (known === null) return "unknown";
      const at = { nowMs: clock.nowMs(), random: ports.random.unit() };
      const heard = heardBack(known.instance, address, outcome, at);
      if (heard.kind !== "taken") return heard.kind;
      record.append([heard.entry], { by: "callback" });
      await setOff();
      return "taken";
    },

    async look(name) {
      const { known } = record;
      if (known === null) return false;
      const { saga, steps, status } = known.instance;
      const step = saga.steps.findIndex((each) => each.name === name);
      const state = steps[step];
      if (isEnded(status)) return true;
      if (state?.forward !== "waiting" && state?.undo !== "waiting") {
        // What it is answered just now may be older than the news.
        requests.lookAgain(step);
        return true;
      }
      record.append([{ kind: "due", step }], { by: "child" });
      await setOff();
      return true;
    },

    async undo(reason) {
      const { known } = record;
      const wish = undoWished(known?.instance ?? null, reason);
      if (wish.entry === null) return wish.answer;
      record.append([wish.entry], { by: "parent", reason });
      await setOff();
      return wish.answer;
    },

    async command(command, expectedRev) {
      const { known, rev } = record;
      if (known === null) return { kind: "unknown" };
      if (expectedRev !== undefined && expectedRev !== rev) return { kind: "rev-differs", rev };
      const result = commanded(known.instance, command, clock.nowMs());
      if (!result.ok) return { kind: "refused", isState: result.isState, detail: result.detail };
      const actor = { by: "operator", command: command.kind, reason: command.reason };
      record.append(result.entries, actor);
      await setOff();
      return { kind: "done", view: view() as SagaView };
    },

    view,
    wake,

    async nudge() {
      if (record.known === null) return false;
      await setOff();
      return true;
    },

    async erase() {
      await record.erase();
      armedMs = null;
    },
  };
}
