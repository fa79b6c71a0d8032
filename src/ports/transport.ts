/** The one way out: how a delivery reaches a target. */
import type { Answer } from "../core/deliver/outcome.ts";

export interface OutgoingRequest {
  /** POST if it is left out. */
  readonly method?: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Of no bytes: none. */
  readonly body:
    | Uint8Array
    | { readonly stream: ReadableStream<Uint8Array>; readonly bytes: number };
  readonly timeoutMs: number;
  /** Of the answer, if more or less than a delivery keeps. */
  readonly answerBytesMax?: number;
  /** Headers of the answer that are wanted, in lower case. */
  readonly answerHeaders?: readonly string[];
}

export interface Transport {
  /**
   * Sends once, follows no redirect, reads at most the first bytes of the answer. Never rejects: what
   * went wrong is an answer too. The address is checked before every attempt.
   */
  send(request: OutgoingRequest): Promise<Answer>;
}
