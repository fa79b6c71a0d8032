/** Steps whose outcome comes later: a participant answers 202, and calls the address that it was given. */
import { beforeEach, describe, expect, it } from "vitest";
import { createCallbacks } from "../../src/adapters/callbacks.ts";
import { platformText } from "../../src/adapters/crypto.ts";
import type { CallbackAddress } from "../../src/core/saga/callback-address.ts";
import type { StepDoc } from "../../src/core/saga/definition.ts";
import { SAGA_OUTPUT_BYTES_MAX, SAGA_WATCHDOG_MS } from "../../src/core/saga/limits.ts";
import { pack } from "../../src/core/saga/text.ts";
import { takeCallback } from "../../src/flows/take-callback.ts";
import { idle } from "../support/fake-clock.ts";
import { memoryCallbacks } from "../support/memory-sagas.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { createSagaWorld, type SagaWorld, step } from "./saga-instance.ts";

let world: SagaWorld;

beforeEach(() => {
  world = createSagaWorld();
  world.transport.answer = ({ headers }) => response(headers.has("signalbox-callback") ? 202 : 200);
});

const async = { timeoutSeconds: 60 };
const later = (name: string, more: Partial<StepDoc> = {}) =>
  step(name, { action: { http: { url: `https://x.example/${name}` }, async }, ...more });

const addressOf = (sent: Sent | undefined): string =>
  sent?.headers.get("signalbox-callback")?.replace("/callbacks/", "") ?? "none";
/** Of the latest request. */
const latest = (): string => addressOf(world.transport.sent.at(-1));

const raw = (address: string, body: string) =>
  takeCallback(address, async (most) => (body.length > most ? null : platformText.encode(body)), {
    ...{ callbacks: memoryCallbacks, clock: world.clock, sagas: world.sagas, text: platformText },
  });
const call = (address: string, body: object) => raw(address, JSON.stringify(body));
const slugOf = async (calling: ReturnType<typeof call>) => {
  const taken = await calling;
  return taken.ok ? "taken" : taken.problem.slug;
};

describe("a callback", () => {
  it("ends its step with the output, and the saga goes on", async () => {
    await world.start([later("a"), step("b", { action: echo("$.steps.a.output.id") })]);
    expect(await world.view()).toMatchObject({ steps: [{ state: "waiting" }, {}], inFlight: 0 });
    expect(await call(latest(), { output: { id: 7 } })).toEqual({
      ...{ ok: true, instance: "sga_1", step: "a" },
    });
    await idle();
    expect(await world.view()).toMatchObject({
      status: "COMPLETED",
      steps: [{ output: { id: 7 } }, {}],
    });
    expect(platformText.decode(world.transport.sent[1]?.body as Uint8Array)).toBe("7");
    expect((await world.view()).journal.some(({ actor }) => actor.by === "callback")).toBe(true);
  });

  it("that comes twice is answered alike and counts once", async () => {
    await world.start([later("a"), { name: "wait", delay: { seconds: 600 } }]);
    const address = latest();
    await call(address, { output: 1 });
    const { rev } = await world.view();
    expect(await slugOf(call(address, { error: "no" }))).toBe("taken");
    expect(await world.view()).toMatchObject({ rev, steps: [{ output: 1 }, {}] });
    await world.pass(700);
    expect(await slugOf(call(address, { output: 2 }))).toBe("taken");
  });

  it("that comes before the 202 was heard counts, and the 202 changes nothing", async () => {
    let answer = () => {};
    world.transport.answer = () =>
      new Promise((resolve) => {
        answer = () => resolve(response(202));
      });
    await world.start([later("a")]);
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("taken");
    answer();
    await idle();
    expect(await world.view()).toMatchObject({ status: "COMPLETED", steps: [{ output: 1 }] });
  });

  it("with an error refuses the step for good, and what was done is undone", async () => {
    await world.start([step("z"), later("a")]);
    await call(latest(), { error: "out of stock" });
    await idle();
    expect(await world.view()).toMatchObject({ status: "COMPENSATED", reason: "a: out of stock" });
    expect(world.paths()).toEqual(["z", "a", "un-z"]);
  });

  it("with a retryable error has it asked again under the same key, at another address", async () => {
    await world.start([later("a")]);
    const first = latest();
    await call(first, { error: "busy", retryable: true });
    await world.pass(15);
    expect(world.paths()).toEqual(["a", "a"]);
    const keys = world.transport.sent.map(({ headers }) => headers.get("idempotency-key"));
    expect(new Set(keys).size).toBe(1);
    expect(latest()).not.toBe(first);
    await call(latest(), { output: null });
    await idle();
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("survives the death of the process that made its request", async () => {
    await world.start([later("a")]);
    world.sagas.evict();
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("taken");
    await idle();
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("is heard while the saga is paused, and nothing new begins", async () => {
    await world.start([later("a"), step("b")]);
    await world.command("pause");
    await call(latest(), { output: 1 });
    await idle();
    expect(await world.view()).toMatchObject({ paused: true, steps: [{ state: "succeeded" }, {}] });
    expect(world.paths()).toEqual(["a"]);
  });

  it("ends an undo as well", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 202);
    const compensate = { http: { url: "https://x.example/un-a" }, async };
    await world.start([step("a", { compensate }), step("b")]);
    expect(await world.view()).toMatchObject({ steps: [{ compensation: "waiting" }, {}] });
    await call(latest(), { output: null });
    await idle();
    expect(await world.view()).toMatchObject({
      status: "COMPENSATED",
      steps: [{ compensation: "done" }, {}],
    });
  });

  it("is awaited before its step is undone", async () => {
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 202);
    await world.start([{ parallel: [[later("a")], [step("b")]] }]);
    expect(await world.view()).toMatchObject({
      status: "COMPENSATING",
      steps: [{ state: "waiting" }, {}],
    });
    expect(world.paths()).toEqual(["a", "b"]);
    await call(addressOf(world.transport.sent[0]), { output: 1 });
    await idle();
    expect(world.paths()).toEqual(["a", "b", "un-a"]);
    expect((await world.view()).status).toBe("COMPENSATED");
  });
});

const echo = (body: string) => ({ http: { url: "https://x.example/echo", body } });

describe("an answer of 200", () => {
  it("is the outcome at once, also where a callback might come", async () => {
    world.transport.answer = () => response(200);
    await world.start([later("a")]);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("callback-stale");
  });

  it("of 202 is the outcome where no callback is asked for", async () => {
    world.transport.answer = () => response(202);
    await world.start([step("a")]);
    expect(world.transport.sent[0]?.headers.has("signalbox-callback")).toBe(false);
    expect((await world.view()).status).toBe("COMPLETED");
  });
});

describe("a callback that does not come", () => {
  it("in time leaves the step in doubt: it is asked again, settled, and then in a person's hands", async () => {
    await world.start([later("a")]);
    await world.pass(61);
    expect(await world.view()).toMatchObject({
      steps: [{ state: "unknown", error: "no callback came in time" }],
    });
    await world.pass(600);
    expect(await world.view()).toMatchObject({
      status: "STUCK",
      reason: expect.stringMatching(/in doubt/),
    });
    // Three attempts, and three more to settle it.
    expect(world.transport.sent).toHaveLength(6);
    expect(
      new Set(world.transport.sent.map(({ headers }) => headers.get("idempotency-key"))).size,
    ).toBe(1);
  });

  it.each([
    ["in", 71, 0],
    ["after", 50, 50],
  ])("until a pause is over may come as much later, %s it", async (_, pausedSeconds, seconds) => {
    await world.start([later("a")]);
    await world.command("pause");
    await world.pass(pausedSeconds);
    if (seconds > 0) await world.command("resume");
    await world.pass(seconds);
    expect(world.paths()).toEqual(["a"]);
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("taken");
    expect(await world.view()).toMatchObject({ steps: [{ output: 1 }] });
  });

  it("until as long after a pause is asked for again, and its address is heard no more", async () => {
    await world.start([later("a")]);
    const address = latest();
    await world.command("pause");
    await world.pass(50);
    await world.command("resume");
    await world.pass(90);
    expect(world.paths()).toEqual(["a", "a"]);
    expect(await slugOf(call(address, { output: 1 }))).toBe("callback-expired");
  });
});

describe("refused, without an effect, is a callback", () => {
  it("that is forged, or changed in any of its parts", async () => {
    await world.start([later("a")]);
    const parts = latest().split(".");
    for (const [at, part] of parts.entries()) {
      const forged = parts.with(at, part === "a" ? "c" : `${part}1`).join(".");
      expect(await slugOf(call(forged, { output: 1 }))).toBe("callback-unknown");
    }
    for (const made of ["none", "", "a.b", `${latest()}.`])
      expect(await slugOf(call(made, { output: 1 }))).toBe("callback-unknown");
    expect(await world.view()).toMatchObject({ steps: [{ state: "waiting" }] });
  });

  it("after its time is over", async () => {
    await world.start([later("a"), { name: "wait", delay: { seconds: 600 } }]);
    const address = latest();
    await world.pass(71);
    const taken = await call(address, { output: 1 });
    expect(taken).toMatchObject({
      problem: { slug: "callback-expired", extensions: { expiredAt: expect.any(String) } },
    });
    expect(await world.view()).toMatchObject({ steps: [{ state: "waiting" }, {}] });
  });

  it.each([
    ["nobody has noticed yet", response(202)],
    ["its step is to be asked again later", response(503, 600_000)],
  ])("after its time is over, also while %s", async (_, answer) => {
    world.transport.answer = () => answer;
    await world.start([later("a")]);
    await world.clock.advance(71_000);
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("callback-expired");
  });

  it("of an attempt that is not the latest", async () => {
    world.transport.answer = () => ({ kind: "timeout" });
    await world.start([later("a")]);
    const first = latest();
    await world.pass(15);
    expect(await slugOf(call(first, { output: "stale" }))).toBe("callback-stale");
    expect(await slugOf(call(latest(), { output: "fresh" }))).toBe("taken");
    expect(await world.view()).toMatchObject({ steps: [{ output: "fresh" }] });
  });

  it("of a step about which a person has decided", async () => {
    await world.start([later("a"), { name: "wait", delay: { seconds: 600 } }]);
    await world.sagas.command(
      "sga_1",
      { kind: "skip-step", reason: "a test", step: "a" },
      undefined,
    );
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("callback-stale");
    expect(await world.view()).toMatchObject({ steps: [{ state: "skipped" }, {}] });
  });

  it("of an instance that has ended, or is gone", async () => {
    await world.start([later("a")]);
    await world.command("abandon");
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("callback-stale");
    await world.sagas.erase("sga_1");
    expect(await slugOf(call(latest(), { output: 1 }))).toBe("callback-unknown");
  });

  it.each([
    ["no JSON", "{", "malformed-request"],
    ["an array", "[]", "validation-failed"],
    ["neither of both", "{}", "validation-failed"],
    ["both", '{"output":1,"error":"x"}', "validation-failed"],
    ["an error that is no text", '{"error":1}', "validation-failed"],
    ["an output that is retryable", '{"output":1,"retryable":true}', "validation-failed"],
    ["what is no member", '{"output":1,"status":"ok"}', "validation-failed"],
    ["too long", `{"output":"${"x".repeat(SAGA_OUTPUT_BYTES_MAX)}"}`, "payload-too-large"],
  ])("that is %s", async (_, body, slug) => {
    await world.start([later("a")]);
    expect(await slugOf(raw(latest(), body))).toBe(slug);
    expect(await world.view()).toMatchObject({ steps: [{ state: "waiting" }] });
  });

  it("whose instance does not answer: it is told to come again", async () => {
    await world.start([later("a")]);
    const ports = { callbacks: memoryCallbacks, clock: world.clock, text: platformText };
    const body = async () => platformText.encode('{"output":1}');
    const down = { callback: async () => Promise.reject(new Error("down")) };
    await expect(takeCallback(latest(), body, { ...ports, sagas: down })).rejects.toThrow(
      "did not answer",
    );
    const hung = takeCallback(latest(), body, {
      ...ports,
      sagas: { callback: () => new Promise(() => {}) },
    });
    const refused = expect(hung).rejects.toThrow("in time");
    await world.clock.advance(60_000);
    await refused;
  });
});

describe("an address for callbacks", () => {
  it("that an older key signed is heard, one of a key that is gone is not", () => {
    const [older, present] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const address = {
      id: "sga_1",
      step: "a",
      direction: "action",
      epoch: 0,
      token: 1,
      expiresAtMs: 9,
    };
    const signed = createCallbacks([older], "")
      .urlOf(address as CallbackAddress)
      .slice(11);
    expect(createCallbacks([present, older], "").read(signed)).toEqual(address);
    expect(createCallbacks([present], "").read(signed)).toBeNull();
  });

  it("stands in no journal", async () => {
    await world.start([later("a")]);
    const address = latest();
    expect(address).toMatch(/^sga_1\.a\.a\.0\.1\.\d+\.[0-9a-z]{52}$/);
    await world.pass(SAGA_WATCHDOG_MS / 1_000);
    expect(pack(world.journal().rows)).not.toContain(address.split(".").at(-1));
  });
});
