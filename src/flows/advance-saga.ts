/**
 * One instance of a saga and its driver. Before each request its intent is written down, after it its answer; what
 * follows is planned anew from what is written. So a process may die anywhere, and the next one goes on.
 */
import type { Text } from "../core/crypto.ts";
import type { Answer } from "../core/deliver/outcome.ts";
import { parseJsonDocument } from "../core/json.ts";
import {
  SAGA_INDEX_RETRY_MS,
  SAGA_JOURNAL_ROWS_MAX,
  SAGA_OUTPUT_BYTES_MAX,
  SAGA_WATCHDOG_MS,
} from "../core/limits.ts";
import { answerEntry, keyOf, outcomeOf } from "../core/saga/answer.ts";
import { type Command, commanded } from "../core/saga/commands.ts";
import { compileSaga } from "../core/saga/definition.ts";
import {
  type Entry,
  fold,
  type Instance,
  isEnded,
  type Outcome,
  type RenderedRequest,
  startInstance,
} from "../core/saga/instance.ts";
import { type Call, plan } from "../core/saga/plan.ts";
import { renderRequest } from "../core/saga/request.ts";
import type { Clock, Random } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type {
  Actor,
  CommandAnswer,
  JournalRow,
  SagaIndex,
  SagaJournal,
  SagaStart,
  SagaView,
} from "../ports/saga.ts";
import type { Transport } from "../ports/transport.ts";
import { summaryOf, viewOf } from "./saga-view.ts";

export interface SagaPorts {
  readonly clock: Clock;
  readonly index: SagaIndex;
  readonly journal: SagaJournal;
  readonly log: Log;
  readonly random: Random;
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
  command(command: Command, expectedRev: number | undefined): Promise<CommandAnswer>;
  view(): SagaView | null;
  /** Drives until nothing is to be done now. `byAlarm`: the alarm that was set has gone off. Never rejects. */
  wake(byAlarm?: boolean): Promise<void>;
  erase(): Promise<void>;
}

const SYSTEM: Actor = { by: "system" };

const first = ({ doc, input, startedAtMs }: SagaStart): Instance =>
  startInstance(compileSaga(doc), input, startedAtMs);

export function createSagaRun(ports: SagaPorts): SagaRun {
  const { clock, journal, log } = ports;
  let begun: SagaStart | null = null;
  let instance: Instance | null = null;
  let rows: JournalRow[] = [];
  let noted: Entry[] = [];
  let notedAtMs = 0;
  let driving: Promise<void> | null = null;
  let armedMs: number | null = null;
  /** Steps whose requests are under way in this process. */
  const live = new Map<number, Promise<void>>();
  let changed = Promise.withResolvers<void>();

  const kept = journal.read();
  if (kept !== null) {
    take(kept.start);
    for (const row of kept.rows) {
      instance = fold(instance ?? first(kept.start), row.entries, row.atMs);
      rows.push(row);
    }
  }

  function take(start: SagaStart): void {
    begun = start;
    instance = first(start);
  }

  /** Takes facts for true at once; they are written together with what follows from them. */
  function note(entries: readonly Entry[]): void {
    if (instance === null) return;
    if (noted.length === 0) notedAtMs = clock.nowMs();
    noted.push(...entries);
    instance = fold(instance, entries, notedAtMs);
  }

  /** One transaction. Whatever is to be relied on, by a request above all, is written down before. */
  function commit(actor: Actor = SYSTEM): void {
    if (noted.length === 0) return;
    const row: JournalRow = { rev: rows.length + 1, atMs: notedAtMs, actor, entries: noted };
    journal.append(row);
    noted = [];
    rows.push(row);
    changed.resolve();
    changed = Promise.withResolvers();
  }

  /** What came from outside, written by itself. */
  function append(entries: readonly Entry[], actor: Actor): void {
    commit();
    note(entries);
    commit(actor);
  }

  /** An alarm always stands behind a drive: whatever happens to the process, it is woken again. */
  async function arm(atMs: number | null): Promise<void> {
    if (armedMs === atMs && atMs !== null) return;
    armedMs = atMs;
    await journal.setAlarm(atMs);
  }

  async function watch(): Promise<void> {
    const nowMs = clock.nowMs();
    if (armedMs === null || armedMs < nowMs + SAGA_WATCHDOG_MS / 2)
      await arm(nowMs + SAGA_WATCHDOG_MS);
  }

  async function drive(): Promise<void> {
    for (;;) {
      if (instance === null || begun === null) return;
      const next = plan(instance, clock.nowMs(), new Set(live.keys()));
      if (next.kind !== "sleep" && rows.length >= SAGA_JOURNAL_ROWS_MAX) {
        const reason = `its journal has ${rows.length} rows: it goes round in a circle`;
        note([{ kind: "status", status: "STUCK", reason }]);
        continue;
      }
      if (next.kind === "decide") note(next.entries);
      else if (next.kind === "call") {
        await watch();
        request(next.calls);
      } else if (live.size > 0) {
        commit();
        await watch();
        await Promise.race([...live.values(), changed.promise]);
      } else if (await rest(next.untilMs)) return;
    }
  }

  /** Whether it may rest: the index knows how it stands, and the alarm when it goes on. */
  async function rest(untilMs: number | null): Promise<boolean> {
    commit();
    if (instance === null || begun === null) return true;
    const rev = rows.length;
    const mayChange = !isEnded(instance.status);
    try {
      await ports.index.put(summaryOf(begun, instance, rows, untilMs));
    } catch (error) {
      log.warn("saga-not-indexed", { saga: begun.id, error: errorText(error) });
      await arm(clock.nowMs() + SAGA_INDEX_RETRY_MS);
      return rows.length === rev;
    }
    if (rows.length !== rev) return false;
    await arm(mayChange && untilMs !== null ? Math.max(untilMs, clock.nowMs() + 1) : null);
    return rows.length === rev;
  }

  /** Writes down what is about to be sent, then sends it. */
  function request(calls: readonly Call[]): void {
    const entries: Entry[] = [];
    const sending: Call[] = [];
    for (const call of calls) {
      if (instance === null) return;
      const { step, direction } = call;
      if ((instance.steps[step]?.requests[direction] ?? null) !== null) {
        entries.push({ kind: "request", step, direction });
        sending.push(call);
        continue;
      }
      const rendered = renderRequest(instance, call);
      if (rendered.ok) {
        entries.push({ kind: "request", step, direction, rendered: rendered.request });
        sending.push(call);
      } else if (direction === "undo")
        entries.push({ kind: "give-up", step, direction, error: rendered.error });
      else {
        const outcome = { kind: "rejected", error: rendered.error } as const;
        entries.push({ kind: "end-wait", step, outcome, event: null });
      }
    }
    note(entries);
    commit();
    for (const call of sending) {
      const { step } = call;
      const made = perform(call).finally(() => live.delete(step));
      live.set(step, made);
    }
  }

  async function perform(call: Call): Promise<void> {
    const { step, direction } = call;
    const state = instance?.steps[step];
    const rendered = state?.requests[direction];
    if (instance === null || begun === null || state === undefined || !rendered) return;
    const { token } = state;
    const answer = await send(call, rendered).catch((error: unknown): Answer => {
      return { kind: "network", detail: errorText(error) };
    });
    const at = {
      nowMs: clock.nowMs(),
      random: ports.random.unit(),
      retryAfterMs: answer.kind === "response" ? answer.retryAfterMs : null,
    };
    const outcome = heard(answer);
    const { saga } = begun;
    if (outcome.kind !== "succeeded") {
      const name = instance.saga.steps[step]?.name ?? "";
      log.warn("saga-step-failed", {
        ...{ tenant: begun.tenant, saga, id: begun.id },
        step: name,
        direction,
        error: outcome.error,
      });
    }
    note([answerEntry(instance, call, token, outcome, at)]);
  }

  async function send(call: Call, rendered: RenderedRequest): Promise<Answer> {
    const definition = instance?.saga.steps[call.step];
    const epoch = instance?.steps[call.step]?.epoch ?? 0;
    if (begun === null || definition?.kind !== "action") throw new Error("no such step");
    const key = (direction: Call["direction"]) =>
      keyOf(begun?.id ?? "", definition.name, { ...call, direction }, epoch);
    const headers = new Map([
      ...Object.entries(rendered.headers).map(
        ([name, value]) => [name.toLowerCase(), value] as const,
      ),
      ["idempotency-key", key(call.direction)],
      ["signalbox-saga", begun.id],
      ["signalbox-step", definition.name],
    ]);
    if (rendered.body !== null) headers.set("content-type", "application/json");
    // What is undone can be looked up by the key that it was done with.
    if (call.direction === "undo") headers.set("signalbox-action-key", key("action"));
    return ports.transport.send({
      ...{ method: rendered.method, url: rendered.url, headers, timeoutMs: definition.timeoutMs },
      body: ports.text.encode(rendered.body ?? ""),
      answerBytesMax: SAGA_OUTPUT_BYTES_MAX + 1,
    });
  }

  /** What an answer means; a body that is no JSON is text, and one that is too long is not kept. */
  function heard(answer: Answer): Outcome {
    if (answer.kind !== "response" || answer.body === "") return outcomeOf(answer, null);
    if (ports.text.encode(answer.body).length > SAGA_OUTPUT_BYTES_MAX)
      return outcomeOf(answer, null);
    const read = parseJsonDocument(answer.body);
    return outcomeOf(answer, read.ok ? read.value : answer.body);
  }

  function wake(byAlarm = false): Promise<void> {
    if (byAlarm) armedMs = null;
    driving ??= drive()
      .catch(async (error: unknown) => {
        log.error("saga-not-driven", { saga: begun?.id ?? "", error: errorText(error) });
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

  const view = (): SagaView | null =>
    begun === null || instance === null ? null : viewOf(begun, instance, rows, live.size);

  return {
    async start(start) {
      const created = begun === null;
      if (created) {
        journal.begin(start);
        take(start);
        await setOff();
      }
      return { created, view: view() as SagaView };
    },

    async receive(id, event) {
      if (instance === null) return false;
      if (isEnded(instance.status) || instance.inbox.has(id)) return true;
      append([{ kind: "event", id, event }], { by: "event" });
      await setOff();
      return true;
    },

    async command(command, expectedRev) {
      if (instance === null || begun === null) return { kind: "unknown" };
      if (expectedRev !== undefined && expectedRev !== rows.length) {
        return { kind: "rev-differs", rev: rows.length };
      }
      const result = commanded(instance, command, clock.nowMs());
      if (!result.ok) return { kind: "refused", isState: result.isState, detail: result.detail };
      append(result.entries, { by: "operator", command: command.kind, reason: command.reason });
      await setOff();
      return { kind: "done", view: view() as SagaView };
    },

    view,
    wake,

    async erase() {
      await journal.erase();
      [begun, instance, rows, noted, armedMs] = [null, null, [], [], null];
    },
  };
}
