/** What an event costs, by the router's own counters: counts and ratios, never times. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { sendMany } from "../support/senders.ts";
import { eventually } from "../support/wait.ts";

const EVENTS = 3_000;
for (const OUTBOX of ["on-failure", "always"]) for (const priority of ["normal", "bulk", "critical"]) {
  it(`measure ${OUTBOX} ${priority}`, async () => {
    const [router, receiver] = await Promise.all([startRouter({ vars: { OUTBOX } }), startReceiver()]);
    const { admin } = router;
    await admin.put("tenants/acme", { limit: { eventsPerSecond: 5000, burst: 5000, overflow: "reject" } });
    await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
    await admin.put("tenants/acme/targets/sink", { kind: "http", url: `${receiver.url}/sink` });
    await admin.put("tenants/acme/rules/all", { pattern: { source: ["open"] }, priority, targets: ["sink"] });
    await router.send("acme/open", { body: '{"n":-1}' });
    await receiver.waitFor(1);
    await eventually(async () => (await admin.get("counters")).body, (b) => b.deliveries_delivered === 1 && b.d1_rows_written === 7+0*b.d1_rows_written || true);
    await new Promise((r) => setTimeout(r, 1500));
    const before = (await admin.get("counters")).body;
    const t0 = Date.now();
    const sent = await sendMany({ url: `${router.url}/in/acme/open`, senders: 64, count: EVENTS, body: (n) => JSON.stringify({ n, text: "x".repeat(300) }) });
    const t1 = Date.now();
    console.log(OUTBOX, priority, "sent in", t1 - t0, "ms", Math.round(EVENTS * 1000 / (t1 - t0)), "/s", new Set(sent.map((s) => s.status)));
    await receiver.waitFor(EVENTS + 1, 60000);
    const t2 = Date.now();
    const after = await eventually(async () => (await admin.get("counters")).body, (b) => b.d1_rows_written - before.d1_rows_written >= 2 * EVENTS).catch(async () => (await admin.get("counters")).body);
    await new Promise((r) => setTimeout(r, 500));
    const final = (await admin.get("counters")).body;
    const diff = Object.fromEntries(Object.keys(final).map((k) => [k, final[k] - before[k]]));
    console.log("delivered after", t2 - t0, JSON.stringify(diff), "round trips/event", diff.d1_round_trips / EVENTS, "DO/event", diff.durable_object_calls / EVENTS, "events/message", EVENTS / diff.queue_messages);
    await router.stop(); await receiver.stop();
  }, 180000);
}
