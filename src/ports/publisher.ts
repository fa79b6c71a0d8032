/** Events that the router publishes itself. */
import type { Answer } from "../core/deliver/outcome.ts";

/** An event that the router publishes itself: for a step, or of what a target of kind event gets. */
export interface SagaEvent {
  readonly tenant: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string | null;
  readonly data: string;
  /** Of `data`; JSON, if it is left out. */
  readonly contentType?: string;
  /** The same key is the same event. */
  readonly key: string;
  readonly hops: number;
  /** Of one that a target makes: the delivery it is made of. */
  readonly origin?: EventOrigin;
}

export interface EventOrigin {
  readonly delivery: string;
  readonly traceparent: string;
  /** The event it is made of may not be more urgent than bulk; nor may this one. */
  readonly isDemoted: boolean;
}

export interface Publisher {
  /** Answers once the event is durable, or why it can never be. Rejects when a store does not take it now. */
  publish(event: SagaEvent): Promise<Answer>;
}
