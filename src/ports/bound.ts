/** Queues and services of the account that the deployment has bound, which targets may name. */
import type { Answer } from "../core/deliver/outcome.ts";
import type { OutgoingRequest } from "./transport.ts";

export interface Bound {
  readonly queues: readonly string[];
  readonly services: readonly string[];
  /**
   * The three of them answer like a transport, and never reject. What is not bound here may be elsewhere: while a
   * deployment goes out, or after it is taken back.
   */
  enqueue(queue: string, message: string, timeoutMs: number): Promise<Answer>;
  request(service: string, request: OutgoingRequest): Promise<Answer>;
  /** Calls a method of it with `event`, a JSON document; what it returns is not looked at. */
  call(service: string, method: string, event: string, timeoutMs: number): Promise<Answer>;
}
