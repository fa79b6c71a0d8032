/** The targets' receivers: some answer, some fail, some do what they were asked and never say so. */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { Chance } from "./chance.ts";
import type { Scenario } from "./scenario.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Reception {
  /** Whether it did what it was asked to. */
  readonly isProcessed: boolean;
  /** Null: it never answers. */
  readonly answer: Extract<Answer, { kind: "response" }> | null;
  readonly afterMs: number;
}

export interface Receivers {
  /** What the receiver at `url` makes of a request that arrives now. */
  receive(url: string): Reception;
  /** Whether it will never be well again: what an open breaker holds back for it may wait for hours. */
  isLost(url: string): boolean;
}

type Mood = "well" | "mixed" | "down" | "hanging" | "slow" | "throttling" | "gone" | "moved";

interface Phase {
  readonly untilMs: number;
  readonly mood: Mood;
}

const PILE_UP_MS = 200_000;
const MOODS: readonly Mood[] = [
  ...(["well", "well", "mixed", "mixed", "down", "hanging"] as const),
  ...(["slow", "throttling", "gone", "moved"] as const),
];

export function createReceivers(
  { tenants, isPileUp, isLong }: Pick<Scenario, "tenants" | "isPileUp" | "isLong">,
  endsAtMs: number,
  scheduler: Scheduler,
  chance: Chance,
): Receivers {
  const startMs = scheduler.nowMs();
  const phases = new Map<string, Phase[]>();
  for (const { targets } of tenants.values()) {
    for (const { url } of targets.values()) phases.set(url, drawPhases());
  }

  /** In the end most are well; one that is down for good makes dead letters. */
  function drawPhases(): Phase[] {
    if (isPileUp) {
      return [
        { untilMs: startMs + PILE_UP_MS, mood: "hanging" },
        { untilMs: Number.POSITIVE_INFINITY, mood: "well" },
      ];
    }
    if (isLong || chance.happens(0.4)) return [{ untilMs: Number.POSITIVE_INFINITY, mood: "well" }];
    const change = chance.between(1_000, Math.max(2_000, endsAtMs));
    const last: Mood = chance.happens(0.8) ? "well" : "down";
    return [
      { untilMs: startMs + change, mood: chance.pick(MOODS) },
      { untilMs: startMs + Math.max(change, endsAtMs), mood: chance.pick(MOODS) },
      { untilMs: Number.POSITIVE_INFINITY, mood: last },
    ];
  }

  function moodAt(url: string): Mood {
    const now = scheduler.nowMs();
    return phases.get(url)?.find(({ untilMs }) => now < untilMs)?.mood ?? "well";
  }

  const response = (status: number, retryAfterMs: number | null = null) =>
    ({ kind: "response", status, retryAfterMs, body: "" }) as const;
  const soon = (): number => (isLong ? chance.between(400, 950) : chance.between(1, 60));
  const processed = (afterMs: number): Reception => {
    return { isProcessed: true, answer: response(chance.pick([200, 202, 204])), afterMs };
  };
  const refused = (status: number, retryAfterMs: number | null = null): Reception => {
    return { isProcessed: false, answer: response(status, retryAfterMs), afterMs: soon() };
  };

  function receive(mood: Mood): Reception {
    switch (mood) {
      case "well":
        return processed(soon());
      case "mixed":
        return receive(chance.pick(["well", "well", "down", "hanging", "slow"] as const));
      case "down":
        return refused(chance.pick([500, 503, 404]));
      case "hanging":
        return { isProcessed: chance.happens(0.5), answer: null, afterMs: 0 };
      case "slow":
        return processed(chance.between(1_000, 40_000));
      case "throttling":
        if (chance.happens(0.3)) return processed(soon());
        return refused(429, chance.pick([null, 0, 7_000, 45_000, 120_000]));
      case "gone":
        return chance.happens(0.3) ? refused(410) : processed(soon());
      case "moved":
        return refused(chance.pick([301, 308]));
    }
  }

  return {
    receive: (url) => receive(moodAt(url)),
    isLost: (url) => phases.get(url)?.at(-1)?.mood === "down",
  };
}
