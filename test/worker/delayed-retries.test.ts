/** 12,000 failed deliveries wait for their retries at once: the queue goes on, and each one comes again. */
import { describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { acceptedBatch } from "../support/ingest-answer.ts";
import { routerHere } from "../support/router-here.ts";
import { prepareTenant } from "../support/tenant.ts";

const SICK = ["sick-a", "sick-b", "sick-c", "sick-d"];
const EVENTS = 3_000;
const PER_REQUEST = 100;
/** So that a message holds few events: a batch is done well within its lease on a slow machine too. */
const PADDING = "x".repeat(5_000);
const DELIVERIES = EVENTS * SICK.length;
/** On an idle machine all have failed before the first is tried again. */
const DELAY_SECONDS = 45;
/** Timers that the local queue can have; with more, nothing passes it any more (workers-sdk #15670). */
const LOCAL_TIMERS_MAX = 10_000;
/** A machine that has much else to do takes minutes for this; nothing waits longer than it must. */
const PATIENCE_MS = 280_000;

describe("12,000 deliveries that wait for their retry", () => {
  it("hold up no fresh event, and all go out when it is time", async () => {
    const sick = await receiverHere(({ headers }, response) => {
      // Refused for what it is: a receiver that is ill would be left alone by its target's gate.
      response.writeHead(headers["signalbox-attempt"] === "1" ? 400 : 200).end();
    });
    const well = await receiverHere();
    const router = await routerHere();
    const retry = { delaysSeconds: [DELAY_SECONDS] };
    const target = { url: sick.url, timeoutMs: 30_000, retry };
    const tenant = await prepareTenant(router, "acme", {
      ...Object.fromEntries(SICK.map((name) => [name, target])),
      well: { url: well.url },
    });

    for (let sent = 0; sent < EVENTS; sent += PER_REQUEST) {
      const events = Array.from({ length: PER_REQUEST }, (_, at) => {
        const id = String(sent + at);
        return { specversion: "1.0", id, source: "/s", type: "t", data: { to: SICK, PADDING } };
      });
      const headers = { "content-type": "application/cloudevents-batch+json" };
      await acceptedBatch(router.send("acme/open", { headers, body: JSON.stringify(events) }));
    }
    await sick.waitFor(DELIVERIES, PATIENCE_MS);

    const { id } = await tenant.send("well");
    await well.waitFor(1, PATIENCE_MS);
    expect(well.received.map(({ headers }) => headers["signalbox-event"])).toEqual([id]);

    await sick.waitFor(2 * DELIVERIES, PATIENCE_MS);
    const failedAtMs = new Map<string, number>();
    const again = new Set<string>();
    for (const { headers, atMs } of sick.received) {
      const delivery = String(headers["webhook-id"]);
      if (headers["signalbox-attempt"] === "1") failedAtMs.set(delivery, atMs);
      else {
        again.add(delivery);
        const pausedMs = atMs - (failedAtMs.get(delivery) ?? Number.NaN);
        expect(pausedMs).toBeGreaterThanOrEqual(DELAY_SECONDS * 1_000);
      }
    }
    expect([failedAtMs.size, again.size]).toEqual([DELIVERIES, DELIVERIES]);
    const { body: counters } = await router.admin.get("counters");
    expect(counters.queue_messages).toBeLessThan(LOCAL_TIMERS_MAX);
  }, 600_000);
});
