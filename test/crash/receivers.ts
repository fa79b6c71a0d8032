/** The targets of a crash run: they note what comes, and are ill as the plan says until they are healed. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, startReceiver } from "../support/receiver.ts";
import { type Illness, illnessOf } from "./plan.ts";
import { hashOf } from "./senders.ts";
import type { Arrival } from "./verdict.ts";

const THINKS_MS_MAX = 10;

export interface Receivers {
  /** Targets are `${url}/${tenant}/${target}`. */
  readonly url: string;
  readonly arrivals: readonly Arrival[];
  /** From now on every request is answered well. */
  heal(): void;
  stop(): Promise<void>;
}

export async function startReceivers(seed: number): Promise<Receivers> {
  const arrivals: Arrival[] = [];
  const counts = new Map<string, number>();
  const startMs = Date.now();
  let isHealed = false;

  const answer: Answer = async ({ path, headers, body }, response) => {
    receiver.received.length = 0; // what matters of it is noted below
    const request = `${headers["signalbox-event"]} ${path}`;
    const nth = (counts.get(request) ?? 0) + 1;
    counts.set(request, nth);
    const illness = isHealed ? "well" : illnessOf(seed, request, nth, Date.now() - startMs);
    const arrival: Arrival = {
      index: indexIn(body.toString()),
      event: String(headers["signalbox-event"]),
      target: path.split("/").at(-1) ?? "",
      webhookId: String(headers["webhook-id"]),
      bodyHash: hashOf(body),
      atMs: Date.now(),
      outcome: "cut",
    };
    arrivals.push(arrival);
    response.on("error", () => {});
    // Only what was handed over whole counts as answered; else the router was gone by then.
    response.on("finish", () => {
      arrival.outcome = illness === "well" ? "answered" : illness;
    });
    await sleep(THINKS_MS_MAX * Math.random());
    if (illness === "hang" || illness === "hang-up") arrival.outcome = illness;
    if (response.destroyed) return;
    answers[illness](response);
  };
  const receiver = await startReceiver(answer);
  return {
    url: receiver.url,
    arrivals,
    heal() {
      isHealed = true;
    },
    stop: () => receiver.stop(),
  };
}

const answers: Readonly<Record<Illness, (response: Parameters<Answer>[1]) => void>> = {
  well: (response) => void response.end("ok"),
  error: (response) => void response.writeHead(500).end(),
  throttled: (response) => void response.writeHead(429, { "retry-after": "1" }).end(),
  "hang-up": (response) => void response.destroy(),
  hang: () => {},
};

/** Which webhook it is, by its own words; -1 when they cannot be read. */
function indexIn(body: string): number {
  try {
    const { n } = JSON.parse(body) as { n: unknown };
    return typeof n === "number" ? n : -1;
  } catch {
    return -1;
  }
}
