/** The way out in memory: remembers what was sent and answers as the test says. */
import type { Answer } from "../../src/core/deliver/outcome.ts";
import type { OutgoingRequest, Transport } from "../../src/ports/transport.ts";

export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: OutgoingRequest["body"];
  readonly timeoutMs: number;
  readonly atMs: number;
}

export type Receive = (request: Sent) => Answer | Promise<Answer>;

export interface MemoryTransport extends Transport {
  /** In the order in which they were sent. */
  readonly sent: Sent[];
  /** The most that were under way at once; a test may begin anew. */
  mostAtOnce: number;
  answer: Receive;
}

export function response(status: number, retryAfterMs: number | null = null): Answer {
  return { kind: "response", status, retryAfterMs, body: "" };
}

/** Answers 200 unless `answer` says otherwise. */
export function createMemoryTransport(nowMs: () => number): MemoryTransport {
  let underWay = 0;
  const transport: MemoryTransport = {
    sent: [],
    mostAtOnce: 0,
    answer: () => response(200),
    async send({ method = "POST", url, headers, body, timeoutMs }) {
      const request = { method, url, headers, body, timeoutMs, atMs: nowMs() };
      transport.sent.push(request);
      underWay += 1;
      transport.mostAtOnce = Math.max(transport.mostAtOnce, underWay);
      try {
        return await transport.answer(request);
      } finally {
        underWay -= 1;
      }
    },
  };
  return transport;
}
