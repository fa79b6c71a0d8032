/** A receiver on 127.0.0.1 that remembers what it was sent and answers as the test says. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Milliseconds since 1970 at which the request had come whole. */
  readonly atMs: number;
}

export interface Receiver {
  readonly url: string;
  /** In the order in which they came whole. */
  readonly received: Received[];
  /** Resolves when `count` requests have come; rejects with what came if that takes `withinMs`. */
  waitFor(count: number, withinMs?: number): Promise<Received[]>;
  stop(): Promise<void>;
}

export type Answer = (request: Received, response: ServerResponse) => void;

/** Answers 200 unless `answer` does otherwise; an answer that never ends is a receiver that hangs. */
export async function startReceiver(
  answer: Answer = (_, response) => void response.end("ok"),
): Promise<Receiver> {
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "/", headers } = request;
      const whole = { method, path, headers, body: Buffer.concat(chunks), atMs: Date.now() };
      received.push(whole);
      answer(whole, response);
      for (const check of waiting) check();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    waitFor(count, withinMs = 20_000) {
      return new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`${received.length} of ${count} requests came within ${withinMs} ms`));
        }, withinMs);
        const check = (): void => {
          if (received.length < count) return;
          clearTimeout(late);
          waiting.delete(check);
          resolve(received);
        };
        waiting.add(check);
        check();
      });
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
