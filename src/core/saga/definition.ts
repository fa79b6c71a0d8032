/** A saga as it is written down, and as it is run: its steps in the order in which they stand. */
import type { RetryPolicy } from "../deliver/retry.ts";
import type { Json } from "../json.ts";
import { type Pattern, parsePattern } from "../pattern/index.ts";

/** Five attempts within a quarter of a minute, then the saga is compensated. */
const RETRY: RetryPolicy = { maxAttempts: 5, initialSeconds: 1, factor: 2, maxSeconds: 30 };
/** What is to be undone must be, in the end: thirty attempts in two hours before a person is asked. */
const UNDO_RETRY: RetryPolicy = { maxAttempts: 30, initialSeconds: 1, factor: 2, maxSeconds: 300 };

/**
 * How a step whose outcome is unknown is settled before it is undone: sent again under the same key until it
 * answers, undone at once (the receiver refuses an action whose undo it has seen), or held for a person.
 */
export const SETTLES = ["resend", "tombstone", "hold"] as const;
export type Settle = (typeof SETTLES)[number];

/** What happens when nothing came in time. */
export const ON_TIMEOUTS = ["compensate", "continue", "stuck"] as const;
export type OnTimeout = (typeof ON_TIMEOUTS)[number];

/** A request, whose url or path, header values and body are templates (references.ts). */
export interface HttpDoc {
  /** Either this or a target. */
  readonly url?: string | undefined;
  /** Of the tenant: its URL, headers, secrets and timeout are those of the moment of each attempt. */
  readonly target?: string | undefined;
  /** Added to the target's URL. */
  readonly path?: string | undefined;
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Json | undefined;
}

/** An event of the tenant; subject and data are templates. */
export interface PublishDoc {
  readonly type: string;
  /** The saga's name, if it is left out. */
  readonly source?: string | undefined;
  readonly subject?: string | undefined;
  readonly data?: Json | undefined;
}

/** An instance of another saga, or of this one; its input is a template, the step's own input if it is left out. */
export interface ChildDoc {
  readonly name: string;
  readonly input?: Json | undefined;
}

/** What a step does, or how it is undone: one of the kinds. */
export interface ActionDoc {
  readonly http?: HttpDoc | undefined;
  readonly saga?: ChildDoc | undefined;
  readonly publish?: PublishDoc | undefined;
  /** An answer of 202 says that the outcome comes by a callback, within this time. */
  readonly async?: { readonly timeoutSeconds: number } | undefined;
}

export interface StepDoc {
  readonly name: string;
  /** The step is skipped when it does not match { input, steps }. */
  readonly when?: Json | undefined;
  /** Its failure is no failure of the saga. */
  readonly optional?: boolean | undefined;
  /** From its start on nothing is undone any more: the saga goes forward, or waits for a person. */
  readonly pivot?: boolean | undefined;
  readonly action?: ActionDoc | undefined;
  readonly compensate?: (ActionDoc & { readonly retry?: RetryPolicy | undefined }) | undefined;
  readonly retry?: RetryPolicy | undefined;
  /** Of one attempt; the target's, if it has one, when it is left out. */
  readonly timeoutSeconds?: number | undefined;
  readonly settle?: Settle | undefined;
  readonly delay?: { readonly seconds: number } | undefined;
  readonly wait?:
    | {
        readonly event: Json;
        readonly correlation?: string | undefined;
        readonly timeoutSeconds: number;
        readonly onTimeout?: OnTimeout | undefined;
      }
    | undefined;
  readonly approve?:
    | { readonly timeoutSeconds: number; readonly onTimeout?: OnTimeout | undefined }
    | undefined;
}

export type NodeDoc = StepDoc | { readonly parallel: readonly (readonly StepDoc[])[] };

export interface SagaDoc {
  readonly steps: readonly NodeDoc[];
  /** Of the event that starts one: the same key is the same instance. The event's id if it is left out. */
  readonly key?: string | undefined;
  /** By what instances are found. */
  readonly correlation?: string | undefined;
  readonly deadlineSeconds?: number | undefined;
  readonly description?: string | undefined;
}

interface StepBase {
  readonly name: string;
  readonly when: Pattern | null;
  readonly isOptional: boolean;
  readonly isPivot: boolean;
}

export type Act =
  | {
      readonly kind: "http";
      readonly http: HttpDoc;
      /** How long its callback may take; null when its answer is its outcome. */
      readonly callbackMs: number | null;
    }
  | { readonly kind: "publish"; readonly publish: PublishDoc }
  | { readonly kind: "saga"; readonly saga: ChildDoc }
  /** The child that the action started is asked to undo what it did. */
  | { readonly kind: "undo-saga"; readonly name: string };

export interface ActionStep extends StepBase {
  readonly kind: "action";
  readonly action: Act;
  readonly compensate: Act | null;
  readonly retry: RetryPolicy;
  readonly undoRetry: RetryPolicy;
  /** Null for the target's own. */
  readonly timeoutMs: number | null;
  readonly settle: Settle;
}

export interface DelayStep extends StepBase {
  readonly kind: "delay";
  readonly delayMs: number;
}

export interface WaitStep extends StepBase {
  readonly kind: "wait";
  readonly event: Pattern;
  /** Of the event; null for the saga's own. */
  readonly correlation: string | null;
  readonly timeoutMs: number;
  readonly onTimeout: OnTimeout;
}

/** A person decides. */
export interface ApproveStep extends StepBase {
  readonly kind: "approve";
  readonly timeoutMs: number;
  readonly onTimeout: OnTimeout;
}

export type Step = ActionStep | DelayStep | WaitStep | ApproveStep;

/** Steps one after another; an array stands for branches that run side by side. Numbers index `steps`. */
export type Sequence = readonly (number | readonly Sequence[])[];

export interface Saga {
  readonly steps: readonly Step[];
  readonly sequence: Sequence;
  /** From the start; null without a deadline. */
  readonly deadlineMs: number | null;
}

/** What runs; of a document that was checked when it was saved. */
export function compileSaga(doc: SagaDoc): Saga {
  const steps: Step[] = [];
  const place = (step: StepDoc): number => steps.push(compileStep(step)) - 1;
  const sequence = doc.steps.map((node) =>
    "parallel" in node ? node.parallel.map((branch) => branch.map(place)) : place(node),
  );
  const { deadlineSeconds } = doc;
  return {
    steps,
    sequence,
    deadlineMs: deadlineSeconds === undefined ? null : deadlineSeconds * 1_000,
  };
}

function compileStep(doc: StepDoc): Step {
  const { name, when, optional, pivot, action, compensate, delay, wait, approve } = doc;
  const base = {
    ...{ name, isOptional: optional === true, isPivot: pivot === true },
    when: when === undefined ? null : patternOf(when),
  };
  if (action !== undefined) {
    return {
      ...{ ...base, kind: "action", action: compileAct(action) },
      compensate: compensate === undefined ? undoOf(action) : compileAct(compensate),
      retry: doc.retry ?? RETRY,
      undoRetry: compensate?.retry ?? UNDO_RETRY,
      timeoutMs: doc.timeoutSeconds === undefined ? null : doc.timeoutSeconds * 1_000,
      settle: doc.settle ?? "resend",
    };
  }
  if (delay !== undefined) return { ...base, kind: "delay", delayMs: delay.seconds * 1_000 };
  const { timeoutSeconds = 0, onTimeout = "compensate" } = wait ?? approve ?? {};
  const limits = { timeoutMs: timeoutSeconds * 1_000, onTimeout };
  if (wait === undefined) return { ...base, ...limits, kind: "approve" };
  const correlation = wait.correlation ?? null;
  return { ...base, ...limits, kind: "wait", event: patternOf(wait.event), correlation };
}

/** A child undoes itself; of anything else nobody knows how. */
const undoOf = ({ saga }: ActionDoc): Act | null =>
  saga === undefined ? null : { kind: "undo-saga", name: saga.name };

function compileAct({ http, publish, saga, async }: ActionDoc): Act {
  if (saga !== undefined) return { kind: "saga", saga };
  if (publish !== undefined) return { kind: "publish", publish };
  if (http === undefined) throw new Error("a saved step does nothing");
  const callbackMs = async === undefined ? null : async.timeoutSeconds * 1_000;
  return { kind: "http", http, callbackMs };
}

function patternOf(given: Json): Pattern {
  const parsed = parsePattern(given);
  if (!parsed.ok) throw new Error("a saved pattern cannot be read");
  return parsed.pattern;
}
