/**
 * What the gate of one target knows: plain data, stored as JSON and bounded in size. The gate stands between
 * the queues and one receiver and is asked for leases, never for single deliveries.
 */
import type { BatchLimits, Waiting } from "../batch/batch.ts";
import { ADAPTIVE_START_MIN, RETRY_TOKENS_MAX } from "../gate-limits.ts";
import type { Priority } from "../priority.ts";

export interface GateConfig {
  /** Attempts at once; the cap where concurrency is adaptive. */
  readonly concurrency: number;
  readonly perSecond: number | null;
  /** Starts within one UTC day. */
  readonly perDay: number | null;
  readonly isAdaptive: boolean;
  /** What goes to the target goes in batches. */
  readonly batch?: BatchLimits;
  /** When the target was made: what is known of an earlier one of its name is not true of it. */
  readonly bornAtMs?: number;
  /** The target's version that says this: who knows an older one changes nothing. */
  readonly version?: number;
}

/** Why something may not pass. The order is that of their answers: the first of two equal ones is told. */
export const GATE_REASONS = [
  "quota",
  "retry-after",
  "breaker",
  "backlog",
  "concurrency",
  "rate",
  "retry-budget",
  "tenant",
] as const;
export type GateReason = (typeof GATE_REASONS)[number];

/** Deliveries by whether they were attempted before. */
export interface Counts {
  readonly fresh: number;
  readonly retries: number;
}

/** Deliveries that were let go about the same time; what has not come by then is lost. */
export interface Out extends Counts {
  readonly untilMs: number;
}

/** Slots that somebody holds until it reports, or until they expire. */
export interface GateLease {
  readonly id: string;
  readonly priority: Priority;
  readonly slots: number;
  /** Slots that all leases held when it had come … */
  readonly held: number;
  /** … and how many there were. */
  readonly allowed: number;
  /** What it may still send. */
  readonly left: Counts;
  /** Deliveries its holder has beyond these, for which it asks again before its slots rest. */
  readonly beside: number;
  /** Its last turn at the rate's pace. */
  readonly lastTurnMs: number;
  /** The UTC day whose quota it was taken from. */
  readonly day: number;
  readonly expiresAtMs: number;
  /** Decreases of the adaptive limit before its requests began. */
  readonly generation: number;
  /** Openings of the breaker before its requests began. */
  readonly opening: number;
  readonly isProbe: boolean;
}

export interface Breaker {
  readonly phase: "closed" | "open" | "half-open";
  readonly buckets: readonly {
    readonly atMs: number;
    readonly calls: number;
    readonly sick: number;
  }[];
  /** Failures since the last success. */
  readonly consecutive: number;
  /** Since when it has failed for the most part; null: it does not. */
  readonly illSinceMs: number | null;
  /** Times it opened, ever; a lease's requests belong to one of them. */
  readonly openings: number;
  /** … and in a row, each twice as long as the one before. */
  readonly inRow: number;
  /** The first of these: nothing has closed it since. */
  readonly firstOpenedAtMs?: number;
  readonly sinceMs: number;
  readonly openMs: number;
  /** Probes that succeeded in a row. */
  readonly successes: number;
}

export interface Adaptive {
  readonly limit: number;
  /** Where the receiver last dropped something; null: never, and growth is fast. */
  readonly ceiling: number | null;
  /** Below it that is not corrected any more by others that were in flight then. */
  readonly floor?: number;
  readonly generation: number;
}

/** What is parked of one priority, as far as the gate was told. */
export interface Backlog {
  readonly count: number;
  readonly sinceMs: number;
  readonly toldAtMs: number;
  /** All of it has been attempted, and waits for tokens. */
  readonly areRetries?: boolean;
}

/** Slots that critical deliveries had use for at once: the most since `fromMs`, and in the GATE_URGENT_MS before. */
export interface UrgentUse {
  readonly fromMs: number;
  readonly slots: number;
  readonly before: number;
}

export interface GateState {
  readonly leases: readonly GateLease[];
  /** The rate's last turn that was given to somebody. */
  readonly lastTurnMs: number;
  /** What the clock said when the gate last decided something. */
  readonly clockMs?: number;
  readonly quota: { readonly day: number; readonly sent: number };
  readonly block: { readonly sinceMs: number; readonly untilMs: number };
  /** What the receiver said of its own rate. */
  readonly allowed: { readonly perMinute: number; readonly toldAtMs: number } | null;
  readonly breaker: Breaker;
  readonly adaptive: Adaptive;
  readonly retryTokens: { readonly count: number; readonly atMs: number };
  /** Mean duration of attempts that succeeded; null: none did. */
  readonly attemptMs: number | null;
  readonly backlog: { readonly [Name in Priority]?: Backlog };
  readonly urgentUse?: UrgentUse;
  /** What waits for the target's next batch. */
  readonly batch?: Waiting | undefined;
  /** Released from parking and not yet come to ask, the oldest first. */
  readonly out?: readonly Out[];
  /** What was refused lately, by reason. */
  readonly refusals: {
    readonly [Name in GateReason]?: { readonly sinceMs: number; readonly lastMs: number };
  };
  /** The last refusal or failure. */
  readonly troubleAtMs: number;
  /** The target's version at which it was set back: who went by an older one may have called another receiver. */
  readonly resetVersion?: number;
}

export const DAY_MS = 86_400_000;
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS);

/** A clock that went back over midnight has counted for the next day; one that was days ahead, for none of now. */
export const isCounted = ({ day }: GateState["quota"], nowMs: number): boolean =>
  day === dayOf(nowMs) || day === dayOf(nowMs) + 1;

/** The gate of a target that nobody has asked yet. */
export const newGate = (nowMs: number): GateState => ({
  leases: [],
  lastTurnMs: 0,
  clockMs: nowMs,
  quota: { day: dayOf(nowMs), sent: 0 },
  block: { sinceMs: 0, untilMs: 0 },
  allowed: null,
  breaker: {
    ...{ phase: "closed", buckets: [], consecutive: 0, illSinceMs: null, openings: 0, inRow: 0 },
    ...{ sinceMs: nowMs, openMs: 0, successes: 0 },
  },
  adaptive: { limit: ADAPTIVE_START_MIN, ceiling: null, generation: 0 },
  retryTokens: { count: RETRY_TOKENS_MAX / 10, atMs: nowMs },
  attemptMs: null,
  backlog: {},
  refusals: {},
  troubleAtMs: nowMs,
});

export const slotsOf = (leases: readonly GateLease[]): number =>
  leases.reduce((sum, { slots }) => sum + slots, 0);

export const totalOf = ({ fresh, retries }: Counts): number => fresh + retries;
