/** Another Worker of the account: what it is sent, by whichever way, it remembers and tells. */
import { WorkerEntrypoint } from "cloudflare:workers";

const got = [];
/** Longer than a test lets it work. */
const SLOW_MS = 2_000;

export default class Neighbour extends WorkerEntrypoint {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/got") return Response.json(got);
    if (pathname === "/never") return scheduler.wait(SLOW_MS);
    const headers = Object.fromEntries(request.headers);
    got.push({ by: "fetch", pathname, headers, body: await request.text() });
    return new Response("No.", {
      status: pathname === "/busy" ? 429 : 200,
      headers: { "retry-after": "7" },
    });
  }

  async take(event) {
    if (event.type === "bad") throw new TypeError("it has no order");
    if (event.type === "slow") return scheduler.wait(SLOW_MS);
    got.push({ by: "take", event });
  }

  async queue(batch) {
    for (const { body } of batch.messages) got.push({ by: "queue", event: body });
  }
}
