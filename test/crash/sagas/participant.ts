/**
 * The participant of a crash run of sagas: it honours idempotency keys, and to the end it drops requests, acts late,
 * or loses its answers. What it did stands in its own book, whatever the router believes.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom } from "../../support/memory-system.ts";
import { startReceiver } from "../../support/receiver.ts";
import { isRefused, type StepName, TIMEOUT_MS } from "./plan.ts";
import type { Effect } from "./verdict.ts";

const DROPPED = 0.06;
const LATE = 0.06;
const ANSWER_LOST = 0.05;
const LATE_MS_MAX = 4_000;
const THINKS_MS_MAX = 10;

export interface Weather {
  requests: number;
  /** Requests whose key had been answered before. */
  known: number;
  dropped: number;
  late: number;
  answersLost: number;
}

export interface Participant {
  readonly url: string;
  readonly effects: readonly Effect[];
  /** Keys that came with other bytes. */
  readonly faults: readonly string[];
  readonly weather: Readonly<Weather>;
  /** Resolves when nothing is late any more. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export async function startParticipant(seed: number): Promise<Participant> {
  const { unit } = createSeededRandom(seed);
  const effects: Effect[] = [];
  const faults: string[] = [];
  const answers = new Map<string, { readonly status: number; readonly bodyHash: string }>();
  const weather: Weather = { requests: 0, known: 0, dropped: 0, late: 0, answersLost: 0 };
  const late = new Set<Promise<void>>();

  /** Once for a key; whoever asks again hears the same. */
  function act(headers: NodeJS.Dict<string | string[]>, body: string): number {
    const key = String(headers["idempotency-key"]);
    const bodyHash = createHash("sha256").update(body).digest("hex");
    const before = answers.get(key);
    if (before !== undefined) {
      weather.known += 1;
      if (before.bodyHash !== bodyHash) faults.push(`${key} came with other bytes`);
      return before.status;
    }
    const undoes = headers["signalbox-action-key"];
    const step = String(headers["signalbox-step"]) as StepName;
    const { n } = JSON.parse(body) as { n: number };
    const status = undoes === undefined && isRefused(seed, n, step) ? 402 : 200;
    answers.set(key, { status, bodyHash });
    if (status !== 200) return status;
    const direction = undoes === undefined ? "action" : "undo";
    effects.push({ saga: String(headers["signalbox-saga"]), step, direction, key });
    return status;
  }

  const receiver = await startReceiver(async ({ headers, body }, response) => {
    receiver.received.length = 0; // what matters of it stands in the book
    weather.requests += 1;
    response.on("error", () => {});
    const chance = unit();
    if (chance < DROPPED) {
      weather.dropped += 1;
      response.destroy();
      return;
    }
    if (chance < DROPPED + LATE) {
      weather.late += 1;
      const acting = sleep(TIMEOUT_MS + unit() * LATE_MS_MAX).then(() => {
        act(headers, body.toString());
        response.destroy();
      });
      late.add(acting);
      await acting.finally(() => late.delete(acting));
      return;
    }
    await sleep(THINKS_MS_MAX * unit());
    const status = act(headers, body.toString());
    if (chance < DROPPED + LATE + ANSWER_LOST) {
      weather.answersLost += 1;
      response.destroy();
    } else response.writeHead(status).end(JSON.stringify({ id: effects.length }));
  });
  return {
    ...{ url: receiver.url, effects, faults, weather },
    async settled() {
      await Promise.all(late);
    },
    stop: () => receiver.stop(),
  };
}
