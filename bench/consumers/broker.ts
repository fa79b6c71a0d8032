/** Queues in the bench's process: batches go to as many consumers at once as wrangler.toml says. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { QueueName } from "../../src/core/priority.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import { type Answers, type BatchText, BROKER_PATH, type MessageText } from "./batch.ts";

export interface Broker {
  /** Where the router's own consumer brings what comes out of its queues. */
  readonly url: string;
  /** Begins to hand out batches. */
  serve(origin: string): void;
  /** Resolves when consumers have ended with the first `count` messages: what still waits, waits in the ledger. */
  passed(count: number): Promise<void>;
  stop(): Promise<void>;
}

const AGAIN_MS = 1_000;
const LOOK_MS = 100;

export async function startBroker(): Promise<Broker> {
  const queues = new Map<string, MessageText[]>();
  const working = new Map<string, number>();
  const batches = new Set<Promise<void>>();
  let origin: string | null = null;
  let isOver = false;
  let handedOut = 0;

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { queue, messages }: BatchText = JSON.parse(Buffer.concat(chunks).toString());
      put(queue, messages);
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;

  function put(queue: string, messages: readonly MessageText[]): void {
    const waiting = queues.get(queue) ?? [];
    waiting.push(...messages);
    queues.set(queue, waiting);
    handOut(queue);
  }

  function handOut(queue: string): void {
    const settings = CONSUMER_SETTINGS[queue.replace("signalbox-", "") as QueueName];
    const waiting = queues.get(queue) ?? [];
    while (origin !== null && !isOver && waiting.length > 0) {
      const consumers = working.get(queue) ?? 0;
      if (consumers >= settings.maxConcurrency) return;
      working.set(queue, consumers + 1);
      const messages = waiting.splice(0, settings.maxBatchSize);
      handedOut += messages.length;
      const batch = consume(queue, messages).finally(() => {
        batches.delete(batch);
        working.set(queue, (working.get(queue) ?? 1) - 1);
        handOut(queue);
      });
      batches.add(batch);
    }
  }

  async function consume(queue: string, messages: readonly MessageText[]): Promise<void> {
    const text: BatchText = { queue, messages };
    const answers = await fetch(`${origin}${BROKER_PATH}`, {
      method: "POST",
      body: JSON.stringify(text),
    }).then(
      async (response) => (response.ok ? ((await response.json()) as Answers) : {}),
      () => ({}) as Answers,
    );
    for (const message of messages) {
      const answer = answers[message.id];
      if (answer === "ack") continue;
      const again = { ...message, attempts: message.attempts + 1 };
      setTimeout(
        () => put(queue, [again]),
        answer === undefined ? AGAIN_MS : answer * 1_000,
      ).unref();
    }
  }

  return {
    url: `http://127.0.0.1:${port}/`,
    serve(at) {
      origin = at;
      for (const queue of queues.keys()) handOut(queue);
    },
    async passed(count) {
      while (handedOut < count) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      await Promise.all(batches);
    },
    async stop() {
      isOver = true;
      await Promise.all(batches);
      server.close();
      server.closeAllConnections();
    },
  };
}
