/** A tenant's configuration as the hot path needs it: parsed, opened, compiled. */
import type { Rate } from "./admit/gcra.ts";
import type { TargetAuth } from "./deliver/auth.ts";
import type { RetryPolicy } from "./deliver/retry.ts";
import type { SigningKey } from "./deliver/signing-keys.ts";
import type { ForEach } from "./fan-out/for-each.ts";
import type { GateConfig } from "./gate/index.ts";
import type { IdempotencyKeyFrom, TypeFrom } from "./ingest/events.ts";
import type { Order } from "./order/order.ts";
import type { RuleSet } from "./pattern/index.ts";
import type { Priority } from "./priority.ts";
import type { PullTarget } from "./pull/pull.ts";
import type { SagaDoc } from "./saga/definition.ts";
import type { Transformer } from "./transform/transformer.ts";
import type { VerifyConfig } from "./verify/verify.ts";

export interface Limit extends Rate {
  /** What happens to an event above it: refused, or accepted and delivered as bulk. */
  readonly overflow: "reject" | "demote";
}

export interface Source {
  readonly id: string;
  readonly verify: VerifyConfig;
  /** A name for each secret of `verify`, in order, by which its uses are counted. */
  readonly secretIds: readonly string[];
  /** The key of its secrets is not there: nothing can be verified, and nothing may be taken. */
  readonly isLocked?: boolean;
  readonly idempotencyKey?: IdempotencyKeyFrom;
  readonly typeFrom?: TypeFrom;
  readonly limit: Limit | null;
  readonly bytesMax: number;
}

export interface Target {
  readonly id: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A header more, of which none of `headers` has the name. */
  readonly auth?: TargetAuth;
  /** Each signs, until its time. */
  readonly signingKeys: readonly SigningKey[];
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly gate: Gate;
  /** Of what it gets; without one nothing waits for anything else. */
  readonly order?: Order;
  /** Null for one that is no saga. */
  readonly saga: SagaTarget | null;
  /** One that is neither called over HTTP nor a saga. */
  readonly other?: OtherTarget;
  /** Why nothing is sent to it now: an operator paused it, or its receiver is gone, fails, or does not permit it. */
  readonly closed: "paused" | "disabled" | null;
  /** Of one that is disabled: why, and whether it is paused as well. */
  readonly disabled?: { readonly reason: string; readonly isPaused: boolean };
  /** Since then, or before: a pause is known by the last change. */
  readonly closedAtMs?: number;
  /** The key of its secrets is not there: nothing can be signed, and so nothing sent. */
  readonly isLocked?: boolean;
}

/** Each event starts an instance of a saga, or ends a wait of one. */
export interface SagaTarget {
  readonly name: string;
  /** Null when there is no such saga any more. */
  readonly definition: SagaDefinition | null;
}

export type OtherTarget = EventTarget | PullTarget | QueueTarget | ServiceTarget;

/** Another queue of the account, by the name of its binding. */
export interface QueueTarget {
  readonly kind: "queue";
  readonly queue: string;
}

/** Another Worker of the account, by the name of its binding. */
export interface ServiceTarget {
  readonly kind: "service";
  readonly service: string;
  /** Of its entry point; null: it gets an HTTP request. */
  readonly method: string | null;
}

/** Each event becomes a new one, which meets the tenant's rules like any other. */
export interface EventTarget {
  readonly kind: "event";
  /** Of the new event. */
  readonly source: string;
  /** Null: that of the event it is made of. */
  readonly type: string | null;
}

export interface SagaDefinition {
  /** Of its first version: a saga of the same name that is made anew knows no instance of the former one. */
  readonly createdAtMs: number;
  readonly version: number;
  readonly doc: SagaDoc;
}

export interface Gate extends GateConfig {
  /** The target has limits of its own: none is exceeded, whatever it costs. Others ask their gate in trouble only. */
  readonly isSet: boolean;
}

export interface Rule {
  readonly id: string;
  readonly priority: Priority;
  readonly targets: readonly string[];
  /** By target; empty for a rule whose targets get the bytes as they came. */
  readonly transformers: ReadonlyMap<string, Transformer>;
  /** Its targets get the elements of a list, each as an event of its own. */
  readonly forEach?: ForEach;
  /** It matches nothing new. */
  readonly isDisabled?: true;
}

export interface Tenant {
  readonly id: string;
  readonly revision: number;
  readonly limit: Limit | null;
  readonly sources: ReadonlyMap<string, Source>;
  readonly targets: ReadonlyMap<string, Target>;
  readonly rules: ReadonlyMap<string, Rule>;
  /** The shadow rules, which are none of those above, with the version of each; null when there are none. */
  readonly shadows: ReadonlyMap<string, number> | null;
  /** The enabled rules' patterns, compiled once per revision. */
  readonly ruleSet: RuleSet;
}
