/** Senders as they are: they wait some seconds, and send again after an error or no answer. */
import { Retryable } from "../../src/core/errors.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import type { Isolates } from "./isolates.ts";
import type { Life } from "./life.ts";
import type { Sending } from "./scenario.ts";
import type { Stores } from "./stores.ts";
import type { Webhook } from "./watch-acceptance.ts";
import type { Service } from "./weather.ts";

export interface Senders {
  /** Senders that have neither heard 202 nor given up. */
  readonly waiting: number;
}

/** As long as GitHub waits. */
const PATIENCE_MS = 10_000;
const PAUSES_MS = [2_000, 10_000, 60_000, 300_000];

export function createSenders(
  sendings: readonly Sending[],
  stores: Stores,
  isolates: Isolates,
): Senders {
  const { scheduler, chance, trace, violations, acceptance, wire, weather } = stores;
  let waiting = sendings.length;

  function send(webhook: Webhook, tries: number): void {
    let isOver = false;
    let isAnswered = false;
    /** What the sender hears, or that it hears nothing. */
    function hear(status: number | null): void {
      if (isOver) return;
      isOver = true;
      trace.note("sender", `hears ${status}`, () => `${webhook.tenant} ${webhook.key}`);
      const pause = PAUSES_MS[tries - 1];
      if (status === 202 || status === 404 || pause === undefined) waiting -= 1;
      else scheduler.after(pause, null, () => send(webhook, tries + 1));
    }
    const isolate = isolates.pick();
    scheduler.after(PATIENCE_MS, null, () => {
      if (!isOver && !isAnswered && isolate !== null) checkSilence(isolate.life);
      hear(null);
    });
    if (isolate === null) return;
    const { life } = isolate;
    const answer = (status: number): void => {
      isAnswered = true;
      if (status === 503) checkRefusal(life);
      const isLost = !wire.isCalm() && chance.happens(weather.failsAfter);
      if (!isLost) scheduler.after(chance.between(1, 20), life, () => hear(status));
    };
    scheduler.after(chance.between(1, 20), life, () => {
      trace.note(life.name, "webhook", () => `${webhook.tenant} ${webhook.key} ${webhook.kind}`);
      acceptEvent(requestOf(webhook), isolate.accept).then(
        (result) => {
          if (!life.isAlive()) return;
          if (result.kind === "accepted") acceptance.answered(webhook, result.events);
          if (result.kind === "accepted") answer(202);
          else answer(result.kind === "refused" ? statusOf(result.problem.slug) : 200);
        },
        (error: unknown) => {
          if (!(error instanceof Retryable)) violations.add(`a webhook fails: ${String(error)}`);
          answer(503);
        },
      );
    });
  }

  const wasWell = (life: Life, services: readonly Service[]): boolean => {
    const sinceMs = scheduler.nowMs() - PATIENCE_MS;
    const isAwake = life.isAlive() && life.disturbedAtMs() < sinceMs && weather.slow === 0;
    return isAwake && wire.troubledAtMs(life, services) < sinceMs;
  };

  /** A queue or an outbox that hangs keeps no sender waiting: each has its time, then it is over. */
  function checkSilence(life: Life): void {
    if (!wasWell(life, ["tenants", "archive"])) return;
    violations.add("a sender waits in vain although nothing but queue and outbox is in trouble");
  }

  /** Where the queue is a store, the outbox takes what it refuses. */
  function checkRefusal(life: Life): void {
    if (weather.mode === "always" || stores.outbox.diedAtMs() > scheduler.nowMs() - PATIENCE_MS)
      return;
    if (!wasWell(life, ["tenants", "archive", "outbox"])) return;
    violations.add("a webhook is turned away although the outbox could have taken it");
  }

  for (const { webhook, atMs } of sendings) {
    scheduler.after(atMs, null, () => send(webhook, 1));
  }
  return {
    get waiting() {
      return waiting;
    },
  };
}

const statusOf = (slug: string): number =>
  slug === "source-unknown" ? 404 : slug === "rate-limited" ? 429 : 503;

function requestOf({ tenant, key, body }: Webhook): Parameters<typeof acceptEvent>[0] {
  const headers: readonly (readonly [string, string])[] = [
    ["content-type", "application/json"],
    ["idempotency-key", key],
  ];
  const header = (name: string) => headers.find(([known]) => known === name)?.[1] ?? null;
  return { tenant, source: "hooks", headers, header, readBody: async () => body };
}
