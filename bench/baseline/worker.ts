/**
 * What the router is measured against: the least that a Worker can do which verifies a webhook and
 * puts it into a queue, one message a request, and a consumer that only acknowledges.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";

interface Env {
  readonly QUEUE: {
    send(body: Uint8Array, options: { readonly contentType: "bytes" }): Promise<unknown>;
  };
  readonly SECRET: string;
}

interface Batch {
  readonly messages: readonly unknown[];
  ackAll(): void;
}

let consumed = 0;

const app = new Hono<{ Bindings: Env }>();

app.post("/in/:tenant/:source", async (context) => {
  const body = new Uint8Array(await context.req.raw.arrayBuffer());
  const expected = `sha256=${createHmac("sha256", context.env.SECRET).update(body).digest("hex")}`;
  if (!equal(context.req.raw.headers.get("x-hub-signature-256") ?? "", expected)) {
    return context.json({ error: "signature" }, 401);
  }
  await context.env.QUEUE.send(body, { contentType: "bytes" });
  return context.json({ accepted: true }, 202);
});

app.get("/consumed", (context) => context.json({ consumed }));

const equal = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

export default {
  fetch: app.fetch,
  queue(batch: Batch): void {
    consumed += batch.messages.length;
    batch.ackAll();
  },
};
