/** What a run will do, from its seed alone: which webhooks, when, which copies, which faults, which illness. */
import { createHash } from "node:crypto";
import { createSeededRandom } from "../support/memory-system.ts";

export interface CrashOptions {
  readonly seed: number;
  /** Webhooks in all, spread over so many seconds. */
  readonly events: number;
  readonly seconds: number;
  /** Kills by SIGKILL; every fourth hits the whole process group. */
  readonly kills: number;
  /** SIGSTOP, then SIGCONT. */
  readonly pauses: number;
}

export const TENANTS = ["acme", "globex"] as const;
export const TARGETS = ["first", "second"] as const;
export const PRIORITIES = ["critical", "normal", "bulk"] as const;

export interface Webhook {
  readonly index: number;
  readonly tenant: (typeof TENANTS)[number];
  readonly source: "github" | "standard";
  readonly key: string;
  readonly body: string;
  /** Milliseconds after the start. */
  readonly atMs: number;
  /** The same webhook once more, so long after the first; 0 = at the same moment. */
  readonly copyAfterMs: number | null;
}

export interface Fault {
  readonly kind: "engine" | "group" | "pause";
  readonly atMs: number;
  /** How long a pause lasts, or until the next start after a kill of the group. */
  readonly forMs: number;
}

export interface Plan {
  readonly webhooks: readonly Webhook[];
  readonly faults: readonly Fault[];
}

const COPIES_AT_ONCE = 0.03;
const COPIES_LATER = 0.02;
/** Bytes that a careless copy would change: escapes, blanks, several planes of Unicode. */
const DELICATE = ' "ä€😀\\u00e4 \\/ 1e2 1.0 "';

export function planOf({ seed, events, seconds, kills, pauses }: CrashOptions): Plan {
  const { unit } = createSeededRandom(seed);
  const pick = <T>(values: readonly [T, ...T[]]): T =>
    values[Math.floor(unit() * values.length)] ?? values[0];
  const durationMs = seconds * 1_000;
  /** Spread evenly, each at random within its share. */
  const timeOf = (index: number, count: number): number =>
    Math.floor(((index + unit()) / count) * durationMs);

  const webhooks = Array.from({ length: events }, (_, index): Webhook => {
    const priority = pick(PRIORITIES);
    const padding = DELICATE.repeat(Math.floor(unit() * 60));
    const chance = unit();
    const laterMs = Math.floor((0.02 + unit() * 0.2) * durationMs);
    return {
      index,
      tenant: pick(TENANTS),
      source: pick(["github", "standard"]),
      key: `${seed}-${index}`,
      body: `{"type":"push",  "n":${index}, "priority":"${priority}","padding":${JSON.stringify(padding)}}`,
      atMs: timeOf(index, events),
      copyAfterMs:
        chance < COPIES_AT_ONCE ? 0 : chance < COPIES_AT_ONCE + COPIES_LATER ? laterMs : null,
    };
  });

  const groups = Math.floor(kills / 4);
  const kinds: Fault["kind"][] = [
    ...Array.from({ length: kills - groups }, () => "engine" as const),
    ...Array.from({ length: groups }, () => "group" as const),
    ...Array.from({ length: pauses }, () => "pause" as const),
  ];
  const faults = kinds
    .map((kind) => ({ kind, order: unit() }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ kind }, index): Fault => {
      const forMs = kind === "pause" ? 300 + unit() * 4_700 : unit() * 1_000;
      return { kind, atMs: timeOf(index, kinds.length), forMs };
    });
  return { webhooks, faults };
}

export type Illness = "well" | "error" | "throttled" | "hang-up" | "hang";

const PHASE_MS = 8_000;
/** Always, in every phase. */
const ERROR_SHARE = 0.05;
/** On top of the errors, each in its own phase. */
const PHASES: readonly { readonly illness: Illness; readonly share: number }[] = [
  { illness: "well", share: 0 },
  { illness: "hang-up", share: 0.06 },
  { illness: "throttled", share: 0.06 },
  { illness: "well", share: 0 },
  { illness: "hang", share: 0.02 },
];

/** How a target takes its `nth` request for an event, so long after the start. */
export function illnessOf(seed: number, request: string, nth: number, elapsedMs: number): Illness {
  const digest = createHash("sha256").update(`${seed} ${request} ${nth}`).digest();
  const chance = digest.readUInt32BE(0) / 2 ** 32;
  if (chance < ERROR_SHARE) return "error";
  const phase = PHASES[Math.floor(elapsedMs / PHASE_MS) % PHASES.length];
  if (phase === undefined) return "well";
  return chance < ERROR_SHARE + phase.share ? phase.illness : "well";
}
