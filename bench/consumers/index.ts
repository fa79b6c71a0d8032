/**
 * The router with as many consumers at once as are deployed, where the local engine has one a queue: what comes out
 * of a queue goes to a broker in the bench's process, which hands out batches by requests.
 */
import { handleQueue } from "../../consumers/index.ts";
import { compose } from "../../src/compose.ts";
import { decodeBase64, encodeBase64 } from "../../src/core/bytes.ts";
import type { Env } from "../../src/env.ts";
import router from "../../src/index.ts";
import { type Answers, type BatchText, BROKER_PATH } from "./batch.ts";

export * from "../../src/index.ts";

interface BrokerEnv extends Env {
  readonly BROKER: string;
}

export default {
  ...router,

  async queue(batch, env) {
    const messages = batch.messages.map(({ id, body, attempts }) => {
      return { id, attempts, body: encodeBase64(new Uint8Array(body as ArrayBuffer)) };
    });
    const text: BatchText = { queue: batch.queue, messages };
    const taken = await fetch(env.BROKER, { method: "POST", body: JSON.stringify(text) });
    if (taken.ok) batch.ackAll();
    else batch.retryAll();
  },

  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== BROKER_PATH) return router.fetch(request, env, context);
    const composed = compose(env);
    if (!composed.ok) return new Response(null, { status: 503 });
    const answers: Answers = {};
    await handleQueue(batchOf(await request.json<BatchText>(), answers), composed.app.deliver);
    return Response.json(answers);
  },
} satisfies ExportedHandler<BrokerEnv, unknown>;

/** As the platform gives one to a consumer; what is answered goes into `answers`. */
function batchOf({ queue, messages }: BatchText, answers: Answers): MessageBatch<unknown> {
  const answer = (id: string, said: Answers[string]): void => {
    answers[id] = said;
  };
  const all = messages.map(({ id, attempts, body }): Message<unknown> => {
    return {
      ...{ id, attempts, body: decodeBase64(body), timestamp: new Date() },
      ack: () => answer(id, "ack"),
      retry: (options) => answer(id, options?.delaySeconds ?? 0),
    };
  });
  const each = (said: Answers[string]): void => {
    for (const { id } of all) answer(id, said);
  };
  return {
    ...{ queue, messages: all, metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } },
    ackAll: () => each("ack"),
    retryAll: (options) => each(options?.delaySeconds ?? 0),
  };
}
