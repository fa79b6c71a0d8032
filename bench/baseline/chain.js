/**
 * The least that a Durable Object can do for a chain of requests: an alarm that makes them one after the other, a row
 * for each. No definition, keys, retries, undo, index or journal.
 */
import { DurableObject } from "cloudflare:workers";

const STEPS = ["a", "b", "c", "d"];

export class Chain extends DurableObject {
  async start(id, url) {
    const { storage } = this.ctx;
    storage.sql.exec("CREATE TABLE IF NOT EXISTS steps (at INTEGER PRIMARY KEY, content TEXT)");
    storage.sql.exec("INSERT INTO steps VALUES (0, ?)", JSON.stringify({ id, url }));
    await storage.setAlarm(Date.now() + 1);
  }

  async alarm() {
    const { sql } = this.ctx.storage;
    const { id, url } = JSON.parse(
      sql.exec("SELECT content FROM steps WHERE at = 0").one().content,
    );
    for (const [at, step] of STEPS.entries()) {
      const answer = await fetch(`${url}/${step}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "signalbox-saga": id,
          "signalbox-step": step,
        },
        body: JSON.stringify({ id }),
      });
      sql.exec("INSERT OR REPLACE INTO steps VALUES (?, ?)", at + 1, await answer.text());
    }
  }
}

export default {
  async fetch(request, env) {
    const { id, url } = await request.json();
    await env.CHAIN.getByName(id).start(id, url);
    return Response.json({ id }, { status: 201 });
  },
};
