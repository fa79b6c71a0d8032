/**
 * One run of a saga: what is known of it, which is the fold of its journal (`fold.ts`). Entries are facts; what
 * follows from them is decided by `plan`.
 */
import type { Json } from "../json.ts";
import type { Saga, SagaDoc } from "./definition.ts";

export const SAGA_STATUSES = [
  "PENDING",
  "RUNNING",
  "COMPLETED",
  "COMPENSATING",
  "COMPENSATED",
  "STUCK",
  "FAILED",
] as const;
export type SagaStatus = (typeof SAGA_STATUSES)[number];

/** Nothing more happens to an instance in such a status. */
export const isEnded = (status: SagaStatus): boolean =>
  status === "COMPLETED" || status === "COMPENSATED" || status === "FAILED";

export type Direction = "action" | "undo";

/** What the answer to a request of a step means. */
export type Outcome =
  | { readonly kind: "succeeded"; readonly output: Json }
  /** Definitely without effect. */
  | { readonly kind: "rejected"; readonly error: string }
  /** Perhaps with an effect: it is asked again, after a pause. */
  | { readonly kind: "unknown"; readonly error: string };

/** Made once for a key. */
export type RenderedRequest = RenderedHttp | RenderedEvent | RenderedChild;

export interface RenderedChild {
  /** What is asked of it: to run, or to undo what it did. */
  readonly child: "run" | "undo";
  readonly saga: string;
  /** JSON: its input. */
  readonly body: string | null;
}

export interface RenderedEvent {
  readonly publish: {
    readonly type: string;
    readonly source: string | null;
    readonly subject: string | null;
  };
  /** JSON: its data. */
  readonly body: string;
}

export interface RenderedHttp {
  readonly method: string;
  /** Absolute, or what is added to the target's. */
  readonly url: string;
  readonly target?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; null sends none. */
  readonly body: string | null;
}

export interface StepState {
  readonly forward:
    | "pending"
    /** A request is under way, or the process that made it has died. */
    | "started"
    | "unknown"
    /** For a time, an event, a person or a callback. */
    | "waiting"
    | "succeeded"
    | "rejected"
    /** Its outcome is unknown, and no attempt is left. */
    | "given-up"
    | "skipped";
  readonly undo:
    | "none"
    | "started"
    | "unknown"
    /** For a callback. */
    | "waiting"
    | "done"
    | "not-needed"
    | "skipped"
    | "given-up";
  /** Its place in the order in which steps were started; undone in reverse. */
  readonly startOrder: number | null;
  /** A person's "once more, as a new effect" raises it; part of the idempotency key. */
  readonly epoch: number;
  /** Fences answers: only one to the latest request counts. */
  readonly token: number;
  /** The tokens of attempts whose callbacks have counted: a copy of one is known again. */
  readonly calledBack: readonly number[];
  readonly attempts: number;
  readonly undoAttempts: number;
  /** Rendered once: a key's second request has the bytes of its first. */
  readonly requests: Readonly<Record<Direction, RenderedRequest | null>>;
  /** When it is tried again, or stops waiting. */
  readonly dueAtMs: number | null;
  /** Its target may not be called now: since when, and why. That is no attempt. */
  readonly held: { readonly sinceMs: number; readonly reason: string } | null;
  readonly output: Json;
  readonly error: string | null;
}

export interface Instance {
  readonly saga: Saga;
  readonly input: Json;
  readonly status: SagaStatus;
  /** Whence it came to be STUCK: where it goes on. */
  readonly stuckIn: "RUNNING" | "COMPENSATING" | null;
  readonly reason: string | null;
  readonly pausedAtMs: number | null;
  readonly deadlineAtMs: number | null;
  readonly steps: readonly StepState[];
  /** Events that came, by id; also those that no step has waited for yet. */
  readonly inbox: ReadonlyMap<string, InboxEvent>;
  readonly starts: number;
}

export interface InboxEvent {
  readonly event: Json;
  /** The step that it ended the wait of. */
  readonly usedBy: number | null;
}

/** One fact. A transaction appends several at once, with one time. */
export type Entry =
  | {
      readonly kind: "request";
      readonly step: number;
      readonly direction: Direction;
      /** Left out when it was rendered before. */
      readonly rendered?: RenderedRequest;
    }
  | {
      readonly kind: "answer";
      readonly step: number;
      readonly direction: Direction;
      readonly token: number;
      readonly outcome: Outcome;
      /** When an unknown outcome is asked for again; null when no attempt is left. */
      readonly retryAtMs: number | null;
    }
  /** A participant has taken a request on, or a child has: its outcome comes later. */
  | {
      readonly kind: "accepted";
      readonly step: number;
      readonly direction: Direction;
      readonly token: number;
      readonly untilMs: number;
      /** It was answered for certain: attempts are counted anew. */
      readonly isHeard?: boolean;
      /** The instance, where it is a child. */
      readonly child?: string;
    }
  /** A child has news: it is asked now how it stands. */
  | { readonly kind: "due"; readonly step: number }
  /** An outcome that came by itself. */
  | {
      readonly kind: "callback";
      readonly step: number;
      readonly direction: Direction;
      readonly token: number;
      readonly outcome: Outcome;
      readonly retryAtMs: number | null;
    }
  /** Nothing was sent: its target may not be called before this time. */
  | {
      readonly kind: "held";
      readonly step: number;
      readonly untilMs: number;
      readonly reason: string;
    }
  | { readonly kind: "wait"; readonly step: number; readonly untilMs: number }
  | {
      readonly kind: "end-wait";
      readonly step: number;
      readonly outcome: Outcome;
      readonly event: string | null;
    }
  | {
      readonly kind: "give-up";
      readonly step: number;
      readonly direction: Direction;
      readonly error: string;
    }
  | {
      readonly kind: "skip";
      readonly step: number;
      readonly direction: Direction;
      readonly output: Json;
    }
  | { readonly kind: "override"; readonly step: number; readonly output: Json }
  | { readonly kind: "no-undo"; readonly step: number }
  | { readonly kind: "undone"; readonly step: number }
  /** A person asks for it again: with the same key, or as a new effect. */
  | { readonly kind: "retry"; readonly step: number; readonly isNewEffect: boolean }
  | { readonly kind: "status"; readonly status: SagaStatus; readonly reason: string | null }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "deadline"; readonly atMs: number | null }
  /** From here on it runs by this definition; `was` are the steps by which entries before this one count. */
  | {
      readonly kind: "migrate";
      readonly version: number;
      readonly doc: SagaDoc;
      readonly was: readonly string[];
    }
  | { readonly kind: "event"; readonly id: string; readonly event: Json };

/** Whether the outcome of the latest request in this direction is still asked for. */
export const isOpen = ({ forward, undo }: StepState, direction: Direction): boolean =>
  ["started", "unknown", "waiting"].includes(direction === "action" ? forward : undo);

export const FRESH: StepState = {
  ...{ forward: "pending", undo: "none", startOrder: null, epoch: 0, token: 0, calledBack: [] },
  ...{ attempts: 0, undoAttempts: 0, dueAtMs: null, held: null, output: null, error: null },
  requests: { action: null, undo: null },
};

/** An instance as it starts. */
export function startInstance(saga: Saga, input: Json, nowMs: number): Instance {
  return {
    ...{ saga, input, status: "RUNNING", stuckIn: null, reason: null, pausedAtMs: null },
    deadlineAtMs: saga.deadlineMs === null ? null : nowMs + saga.deadlineMs,
    steps: saga.steps.map(() => FRESH),
    ...{ inbox: new Map(), starts: 0 },
  };
}
