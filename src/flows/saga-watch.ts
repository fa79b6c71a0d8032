/**
 * What wakes an instance of a saga again, whatever happens to its process: the alarm behind a drive, the time at
 * which the index has it looked at, and its parent.
 */
import { isEnded } from "../core/saga/instance.ts";
import { SAGA_INDEX_RETRY_MS, SAGA_STARTING_MS, SAGA_WATCHDOG_MS } from "../core/saga/limits.ts";
import { errorText } from "../ports/log.ts";
import type { SagaStart } from "../ports/saga.ts";
import { inTime } from "./in-time.ts";
import type { SagaPorts } from "./saga-ports.ts";
import type { Known, SagaRecord } from "./saga-record.ts";
import { summaryOf } from "./saga-view.ts";

export interface SagaWatch {
  /** Sets the alarm, where it is not set so already. */
  arm(atMs: number | null): Promise<void>;
  /**
   * An alarm always stands behind a drive: whatever happens to the process, it is woken again. True when it had
   * to be set, and so much may have happened since.
   */
  stand(): Promise<boolean>;
  /** There is no alarm any more. */
  goneOff(): void;
  /**
   * Before something is written down that it must wake for, the index knows that it is due: the process may die
   * right after, and the alarm with it. An index that does not answer holds nothing up.
   */
  foretell(): Promise<void>;
  /** Whether it may rest: the index knows how it stands, and the alarm when it goes on. */
  rest(known: Known, untilMs: number | null): Promise<boolean>;
}

export function createSagaWatch(
  record: SagaRecord,
  ports: Pick<SagaPorts, "clock" | "index" | "journal" | "log" | "sagas">,
): SagaWatch {
  const { clock, journal, log } = ports;
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

  async function stand(): Promise<boolean> {
    const nowMs = clock.nowMs();
    // An alarm of a wait of days is no watchdog.
    const aheadMs = (armedMs ?? nowMs) - nowMs;
    const isWatched = aheadMs >= SAGA_WATCHDOG_MS / 2 && aheadMs <= SAGA_WATCHDOG_MS;
    if (!isWatched) await arm(nowMs + SAGA_WATCHDOG_MS);
    return !isWatched;
  }

  /** Tells the index how it stands, and when to look at it. False when the index did not answer. */
  async function tell({ start, instance }: Known, dueAtMs: number | null): Promise<boolean> {
    const summary = summaryOf(start, instance, record.rows, dueAtMs);
    indexedMs = undefined;
    telling = inTime(ports.index.put(summary), ports, "the index did not answer in time");
    try {
      await telling;
      indexedMs = summary.dueAtMs;
      return true;
    } catch (error) {
      log.warn("saga-not-indexed", { saga: start.id, error: errorText(error) });
      return false;
    }
  }

  async function foretell(): Promise<void> {
    await telling.catch(() => {});
    const { known } = record;
    const soonMs = clock.nowMs() + SAGA_STARTING_MS;
    if (known === null || (typeof indexedMs === "number" && indexedMs <= soonMs)) return;
    await tell(known, clock.nowMs() + SAGA_WATCHDOG_MS);
  }

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
      const looking = ports.sagas.look(parent.id, parent.step);
      await inTime(looking, ports, "the parent did not answer in time");
      return true;
    } catch (error) {
      log.warn("saga-parent-not-told", { saga: id, parent: parent.id, error: errorText(error) });
      return false;
    }
  }

  return {
    arm,
    stand,
    goneOff() {
      armedMs = null;
    },
    foretell,
    rest,
  };
}
