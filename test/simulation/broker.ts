/**
 * The queues' side of a run: hands batches to isolates, in any order, sometimes twice, and takes what
 * they answer. An invocation that never ends is ended by the platform's limit.
 */
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import { deliverBatch, type QueueRole } from "../../src/flows/deliver-batch.ts";
import type { QueueMessage } from "../../src/flows/open-messages.ts";
import type { Kept } from "../support/memory-queues.ts";
import type { Invocation } from "./invocation.ts";
import type { Isolate, Isolates } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import type { Planned } from "./scheduler.ts";
import type { Stores } from "./stores.ts";

export interface Broker {
  /** Messages of a queue can be taken from then on. */
  wake(role: QueueRole, atMs: number): void;
  /** Whoever worked there is gone: its messages come again. */
  isolateDied(life: Life): void;
  /** Whoever works there stands still: the platform may think that it is gone. */
  isolateStands(life: Life): void;
  /** Everything in the queues is lost. */
  forget(): void;
  readonly working: number;
}

/** A consumer's invocation may last this long (Cloudflare Queues limits). */
const INVOCATION_MS_MAX = 900_000;

interface Working {
  readonly invocation: Invocation;
  readonly messages: readonly string[];
}

export function createBroker(stores: () => Stores, isolates: () => Isolates): Broker {
  const working = new Set<Working>();
  const awaited = new Map<QueueRole, { atMs: number; planned: Planned }>();
  let started = 0;

  function wake(role: QueueRole, atMs: number): void {
    const { scheduler, chance, weather } = stores();
    const next = awaited.get(role);
    if (next !== undefined && next.atMs <= atMs) return;
    if (next !== undefined) next.planned.cancelled = true;
    const delayMs =
      atMs - scheduler.nowMs() + chance.between(weather.queueLagMs, 2 * weather.queueLagMs + 5);
    awaited.set(role, { atMs, planned: scheduler.after(delayMs, null, () => hand(role)) });
  }

  function hand(role: QueueRole): void {
    awaited.delete(role);
    const { queues, chance, scheduler } = stores();
    const isolate = isolates().pick();
    const most = role === "dead" ? 10 : CONSUMER_SETTINGS[role].maxBatchSize;
    const count = chance.happens(0.7) ? most : chance.between(1, 3);
    if (isolate === null) {
      wake(role, scheduler.nowMs() + 500);
      return;
    }
    loseSome(role);
    const messages = chance.shuffled(queues.take(role, count));
    if (messages.length > 0) start(role, messages, isolate);
    let earliest = Number.POSITIVE_INFINITY;
    for (const { visibleAtMs } of queues.kept[role].values()) {
      earliest = Math.min(earliest, visibleAtMs);
    }
    if (earliest < Number.POSITIVE_INFINITY) wake(role, earliest);
  }

  /** A queue that keeps its messages in memory loses some of them. */
  function loseSome(role: QueueRole): void {
    const { queues, chance, scheduler, weather, wire, trace } = stores();
    if (weather.drops === 0 || wire.isCalm()) return;
    for (const { id, visibleAtMs } of queues.kept[role].values()) {
      if (visibleAtMs > scheduler.nowMs() || !chance.happens(weather.drops)) continue;
      trace.note("queue", `loses ${id}`);
      queues.kept[role].delete(id);
    }
  }

  function start(role: QueueRole, messages: readonly QueueMessage[], isolate: Isolate): void {
    const { scheduler, trace, violations, chance, wire, weather } = stores();
    started += 1;
    const life = createLife(`batch ${started}`, scheduler, isolate.life);
    const invocation: Invocation = { life, role, startedAtMs: scheduler.nowMs(), token: null };
    const work: Working = { invocation, messages: messages.map(({ id }) => id) };
    working.add(work);
    stores().queueWatch.begun(invocation);
    trace.note(
      life.name,
      "begins",
      () => `${role}: ${work.messages.join(" ")} in ${isolate.life.name}`,
    );
    if (!wire.isCalm() && chance.happens(weather.duplicates)) showAgain(role, work.messages);

    const isAtOnce = chance.happens(0.5);
    const answers = new Map<string, number>();
    const later: (() => void)[] = [];
    const answer = (id: string, apply: () => void): void => {
      if (!life.isAlive()) return;
      answers.set(id, (answers.get(id) ?? 0) + 1);
      if (isAtOnce) apply();
      else later.push(apply);
    };
    const handed = messages.map(
      (message): QueueMessage => ({
        ...message,
        ack: () => answer(message.id, () => message.ack()),
        retry: (seconds) => answer(message.id, () => message.retry(seconds)),
      }),
    );
    const limit = scheduler.after(INVOCATION_MS_MAX, null, () => {
      life.kill();
      working.delete(work);
      showAgain(role, work.messages);
    });
    deliverBatch(role, handed, isolate.deliver(invocation)).then(
      () => {
        stores().queueWatch.ended(invocation);
        if (!life.isAlive()) return; // it died at its last call
        limit.cancelled = true;
        working.delete(work);
        for (const apply of later) apply();
        trace.note(life.name, "ends");
        for (const { id } of messages) {
          const count = answers.get(id) ?? 0;
          if (count !== 1) violations.add(`${id} was acked or retried ${count} times`);
        }
      },
      (error: unknown) => violations.add(`deliverBatch rejected: ${String(error)}`),
    );
  }

  /** The platform may hand out a message once more at any time. */
  function showAgain(role: QueueRole, ids: readonly string[]): void {
    const { scheduler, chance } = stores();
    scheduler.after(chance.between(1, 30_000), null, () => {
      const { queues } = stores();
      for (const id of ids) {
        const message: Kept | undefined = queues.kept[role].get(id);
        if (message === undefined) continue;
        message.visibleAtMs = Math.min(message.visibleAtMs, scheduler.nowMs());
        wake(role, message.visibleAtMs);
      }
    });
  }

  return {
    wake,
    isolateDied(life) {
      for (const work of [...working]) {
        if (work.invocation.life.isolate !== life) continue;
        working.delete(work);
        if (work.invocation.role !== "sweep") showAgain(work.invocation.role, work.messages);
      }
    },
    isolateStands(life) {
      for (const { invocation, messages } of working) {
        if (invocation.life.isolate !== life || invocation.role === "sweep") continue;
        if (stores().chance.happens(0.7)) showAgain(invocation.role, messages);
      }
    },
    forget() {
      for (const kept of Object.values(stores().queues.kept)) kept.clear();
    },
    get working() {
      return working.size;
    },
  };
}
