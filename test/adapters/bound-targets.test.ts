/** Queues and services in the runtime: another Worker gets what is sent, and its failures are answers. */
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { createBound } from "../../src/adapters/bound-targets.ts";
import { systemClock } from "../../src/adapters/system.ts";

const bound = createBound(env, systemClock);
const { TARGET_SERVICE_BILLING: billing } = env as unknown as { TARGET_SERVICE_BILLING: Fetcher };

type Got = { by: string; event?: object; headers?: object; body?: string; pathname?: string };
const got = async (): Promise<Got[]> => (await billing.fetch("https://billing/got")).json();
const request = (path: string, timeoutMs = 5_000) => ({
  ...{ url: `https://billing${path}`, headers: new Map([["signalbox-event", "evt_1"]]) },
  ...{ body: new TextEncoder().encode("{}"), timeoutMs },
});

describe("what is bound", () => {
  it("is known by the names of its bindings, and a variable of such a name is none", () => {
    expect(bound).toMatchObject({ queues: ["orders"], services: ["billing"] });
    const other = createBound(
      { TARGET_QUEUE_A: "text", TARGET_SERVICE_B_C: { fetch() {} } },
      systemClock,
    );
    expect(other).toMatchObject({ queues: [], services: ["b-c"] });
  });

  it("is a queue whose consumer gets the event as an object", async () => {
    const sent = await bound.enqueue("orders", '{"id":"by-queue"}', 5_000);
    expect(sent).toMatchObject({ kind: "response", status: 200 });
    await vi.waitFor(async () => {
      expect(await got()).toContainEqual({ by: "queue", event: { id: "by-queue" } });
    }, 20_000);
  });

  it("is a service that gets a request as a receiver does, whose answer counts", async () => {
    expect(await bound.request("billing", request("/in"))).toMatchObject({ status: 200 });
    expect(await bound.request("billing", request("/busy"))).toEqual({
      ...{ kind: "response", status: 429, retryAfterMs: 7_000, body: "No." },
    });
    expect(await got()).toContainEqual({
      ...{ by: "fetch", pathname: "/in", body: "{}" },
      headers: expect.objectContaining({ "signalbox-event": "evt_1" }),
    });
  });

  it("is a service whose method is called with the event", async () => {
    const called = await bound.call("billing", "take", '{"id":"by-call"}', 5_000);
    expect(called).toMatchObject({ kind: "response", status: 200 });
    expect(await got()).toContainEqual({ by: "take", event: { id: "by-call" } });
  });
});

describe("a failure of what is bound is an answer", () => {
  it("when a method throws, or there is none", async () => {
    expect(await bound.call("billing", "take", '{"type":"bad"}', 5_000)).toEqual({
      ...{ kind: "network", detail: "it has no order" },
    });
    expect(await bound.call("billing", "nothing", "{}", 5_000)).toMatchObject({
      ...{ kind: "network", detail: expect.stringMatching(/nothing/) },
    });
  });

  it.each(["toString", "valueOf", "hasOwnProperty", "__lookupGetter__", "constructor", "fetch"])(
    "when the stub itself has %s, which would call nobody",
    async (method) => {
      const before = (await got()).length;
      expect(await bound.call("billing", method, "{}", 5_000)).toEqual({
        ...{ kind: "network", detail: `${method} names no method` },
      });
      expect(await got()).toHaveLength(before);
    },
  );

  it("when it is not bound, and what streams is let go", async () => {
    let isLetGo = false;
    const stream = new ReadableStream<Uint8Array>({
      cancel() {
        isLetGo = true;
      },
    });
    await bound.request("x", { ...request("/"), body: { stream, bytes: 10 } });
    expect(isLetGo).toBe(true);
  });

  it("when it never ends", async () => {
    expect(await bound.call("billing", "take", '{"type":"slow"}', 50)).toEqual({ kind: "timeout" });
    expect(await bound.request("billing", request("/never", 50))).toEqual({ kind: "timeout" });
  });

  it("when it is not bound here, which may be otherwise elsewhere", async () => {
    const missing = (what: string) => ({ kind: "network", detail: `no ${what} "x" is bound` });
    expect(await bound.enqueue("x", "{}", 5_000)).toEqual(missing("queue"));
    expect(await bound.request("x", request("/"))).toEqual(missing("service"));
    expect(await bound.call("x", "take", "{}", 5_000)).toEqual(missing("service"));
  });

  it("when a queue refuses the message", async () => {
    const large = JSON.stringify({ text: "x".repeat(200_000) });
    expect(await bound.enqueue("orders", large, 5_000)).toMatchObject({ kind: "network" });
  });
});
