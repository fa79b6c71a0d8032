/**
 * One instance of a saga and its driver. Before each request its intent is written down, after it its answer; what
 * follows is planned anew from what is written. So a process may die anywhere, and the next one goes on.
 */
import { heardBack } from "../core/saga/callback.ts";
import type { CallbackAddress } from "../core/saga/callback-address.ts";
import { undoWished } from "../core/saga/child.ts";
import type { Command } from "../core/saga/commands.ts";
import { isEnded, type Outcome } from "../core/saga/instance.ts";
import { SAGA_JOURNAL_ROWS_MAX, SAGA_WATCHDOG_MS } from "../core/saga/limits.ts";
import { migration } from "../core/saga/migrate.ts";
import { plan } from "../core/saga/plan.ts";
import { errorText } from "../ports/log.ts";
import type {
  CallbackAnswer,
  CommandAnswer,
  MigrationAnswer,
  MigrationOrder,
  SagaStart,
  SagaView,
  UndoAnswer,
} from "../ports/saga.ts";
import { type Judged, judge, judgeMigration } from "./judge-command.ts";
import type { SagaPorts } from "./saga-ports.ts";
import { type Known, SagaRecord } from "./saga-record.ts";
import { type AskedCalls, createSagaRequests } from "./saga-requests.ts";
import { viewOf } from "./saga-view.ts";
import { createSagaWatch } from "./saga-watch.ts";

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
  const watch = createSagaWatch(record, ports);
  let driving: Promise<void> | null = null;
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
        const isWatched = !(await watch.stand());
        const calls = isWatched ? await requests.ask(next.calls) : null;
        // A person may have paused or migrated it meanwhile: what was planned is planned anew.
        if (record.facts !== facts) calls?.giveBack();
        else makeOrGiveBack(calls);
      } else if (requests.live.size > 0) {
        record.commit();
        // Before the alarm is set: what ends meanwhile is live no more, and nothing else may wake the drive.
        const next = Promise.race([...requests.live.values(), record.written]);
        await watch.stand();
        await next;
      } else if (await watch.rest(known, next.untilMs)) return;
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

  function wake(byAlarm = false): Promise<void> {
    if (byAlarm) watch.goneOff();
    driving ??= drive()
      .catch(async (error: unknown) => {
        const saga = record.known?.start.id ?? "";
        log.error("saga-not-driven", { saga, error: errorText(error) });
        await watch.arm(clock.nowMs() + SAGA_WATCHDOG_MS).catch(() => {});
      })
      .finally(() => {
        driving = null;
      });
    return driving;
  }

  /** The alarm first, then the drive, which need not be waited for. */
  async function setOff(): Promise<void> {
    await watch.stand();
    ports.defer(wake());
  }

  async function carryOut(judged: () => Judged): Promise<CommandAnswer> {
    const first = judged();
    if (first.kind !== "allowed" && first.kind !== "repeated") return first;
    if (first.kind === "allowed") await watch.foretell();
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
      await watch.foretell();
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
      await watch.foretell();
      const heard = judged();
      if (heard.kind !== "taken") return heard.kind;
      record.append([heard.entry], { by: "callback" });
      await setOff();
      return "taken";
    },

    async look(name) {
      if (record.known === null) return false;
      await watch.foretell();
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
      await watch.foretell();
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
      watch.goneOff();
    },
  };
}
