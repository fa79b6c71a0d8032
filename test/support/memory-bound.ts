/** Queues and services that are bound, in memory: remember what they got and answer as the test says. */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { Bound } from "../../src/ports/bound.ts";
import type { OutgoingRequest } from "../../src/ports/transport.ts";
import { response } from "./memory-transport.ts";

export interface MemoryBound extends Bound {
  readonly messages: { readonly to: string; readonly message: string }[];
  readonly requests: OutgoingRequest[];
  answer: () => Answer;
}

export function createMemoryBound(): MemoryBound {
  const bound: MemoryBound = {
    ...{ queues: ["orders"], services: ["billing"], messages: [], requests: [] },
    answer: () => response(200),
    async enqueue(queue, message) {
      bound.messages.push({ to: queue, message });
      return bound.answer();
    },
    async request(_, request) {
      bound.requests.push(request);
      return bound.answer();
    },
    async call(service, method, message) {
      bound.messages.push({ to: `${service}.${method}`, message });
      return bound.answer();
    },
  };
  return bound;
}
