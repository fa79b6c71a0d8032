/** Steps before the gates of their targets: what may not go waits without an attempt, and says why. */
import { describe, expect, it } from "vitest";
import { keyOfSecret, type SigningKey } from "../../src/core/deliver/signing-keys.ts";
import { GATE_BACKLOG_MS } from "../../src/core/gate-limits.ts";
import { SAGA_HELD_MS_MAX } from "../../src/core/saga/limits.ts";
import { pack } from "../../src/core/saga/text.ts";
import type { Gate, Target } from "../../src/core/tenant.ts";
import { idle } from "../support/fake-clock.ts";
import { tenantOf } from "../support/memory-tenants.ts";
import { response } from "../support/memory-transport.ts";
import { createSagaWorld, LIVES, life, liveSo, RETRY, step } from "./saga-instance.ts";

function worldWith(erp: Partial<Target>) {
  const state: { erp: Partial<Target> | null } = { erp };
  const world = createSagaWorld(
    {},
    {
      async target(tenant, id) {
        if (state.erp === null) return null;
        return tenantOf(tenant, 1, { targets: { erp: state.erp } }).targets.get(id) ?? null;
      },
    },
  );
  return { state, world };
}

const toErp = { http: { target: "erp" } };
const limited = (gate: Partial<Gate>): Partial<Target> => ({
  gate: { concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: true, ...gate },
});
const branches = (count: number) => ({
  parallel: Array.from({ length: count }, (_, at) => [step(`s${at}`, { action: toErp })]),
});

describe.each(LIVES)("a step whose target is closed$life", ({ dies }) => {
  liveSo(dies);

  it.each(["paused", "disabled"] as const)("waits, and says that it is %s", async (closed) => {
    const { world, state } = worldWith({ closed });
    await world.start([step("a", { action: toErp }), step("b")]);
    const held = `the target "erp" is ${closed}`;
    expect(await world.view()).toMatchObject({
      ...{ status: "RUNNING", steps: [{ state: "pending", attempts: 0, held }, {}] },
    });
    expect(world.sagas.summary("sga_1")).toMatchObject({ step: "a", reason: held });
    await world.pass(3_600);
    expect(world.transport.sent).toEqual([]);
    state.erp = {};
    await world.pass(SAGA_HELD_MS_MAX / 600);
    expect(await world.view()).toMatchObject({
      ...{ status: "COMPLETED", steps: [{ attempts: life.dies ? 2 : 1, held: null }, {}] },
    });
  });

  it("asks less and less often", async () => {
    const { world } = worldWith({ closed: "paused" });
    await world.start([step("a", { action: toErp })]);
    await world.pass(7_200);
    expect(world.journal().rows.length).toBeGreaterThan(10);
    expect(world.journal().rows.length).toBeLessThan(40);
  });

  it("goes at once when a person has it tried again", async () => {
    const { world, state } = worldWith({ closed: "paused" });
    await world.start([step("a", { action: toErp })]);
    await world.pass(600);
    state.erp = {};
    expect((await world.command("retry-step", undefined, { step: "a" })).kind).toBe("done");
    await idle();
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("is no new effect for a person: nothing has been sent", async () => {
    const { world } = worldWith({ closed: "paused" });
    await world.start([step("a", { action: toErp })]);
    const answer = await world.command("rerun-step", undefined, { step: "a" });
    expect(answer).toMatchObject({ kind: "refused" });
  });

  it("leaves nothing to undo when its saga's deadline passes", async () => {
    const { world } = worldWith({ closed: "paused" });
    await world.start([step("a", { action: toErp, compensate: toErp })], { deadlineSeconds: 60 });
    await world.pass(61);
    expect(await world.view()).toMatchObject({
      ...{ status: "COMPENSATED", steps: [{ state: "pending", compensation: "none", held: null }] },
    });
    expect(world.transport.sent).toEqual([]);
  });

  it("is undone when its target is open again, and not given up before", async () => {
    const { world, state } = worldWith({});
    world.transport.answer = ({ url }) => response(url.endsWith("/b") ? 422 : 200);
    await world.start([
      step("a", { compensate: toErp }),
      { name: "pause", delay: { seconds: 5 } },
      step("b"),
    ]);
    state.erp = { closed: "paused" };
    await world.pass(3_600);
    expect(await world.view()).toMatchObject({
      ...{
        status: "COMPENSATING",
        steps: [{ compensation: "none", compensationAttempts: 0 }, {}, {}],
      },
    });
    state.erp = {};
    await world.pass(SAGA_HELD_MS_MAX / 600);
    expect((await world.view()).status).toBe("COMPENSATED");
  });
});

describe.each(LIVES)("an undo that ends a wait, while its target is closed$life", ({ dies }) => {
  liveSo(dies);

  it("waits as well, and asks less and less often", async () => {
    const { world, state } = worldWith({ closed: "paused" });
    world.transport.answer = ({ headers, url }) =>
      response(headers.has("signalbox-callback") ? 202 : url.endsWith("/b") ? 422 : 200);
    const later = { http: { url: "https://x.example/a" }, async: { timeoutSeconds: 86_400 } };
    await world.start([
      {
        parallel: [
          [step("a", { action: later, compensate: toErp, settle: "tombstone" })],
          [{ name: "pause", delay: { seconds: 5 } }, step("b", { compensate: toErp })],
        ],
      },
    ]);
    await world.pass(7_200);
    const [a] = (await world.view()).steps;
    expect(a).toMatchObject({ compensation: "none", held: expect.stringMatching(/is paused/) });
    expect(world.journal().rows.length).toBeLessThan(60);
    state.erp = {};
    await world.pass(SAGA_HELD_MS_MAX / 600);
    expect((await world.view()).status).toBe("COMPENSATED");
  });
});

describe("a target without limits", () => {
  it("costs no call of its gate as long as it is well", async () => {
    const { world } = worldWith({});
    await world.start([step("a", { action: toErp }), step("b", { action: toErp }), step("c")]);
    expect(world.transport.sent).toHaveLength(3);
    expect(world.gates.calls).toBe(0);
  });

  it("has its gate asked when it is in trouble, and is not called before it has said that it may", async () => {
    const { world } = worldWith({});
    world.transport.answer = () =>
      world.transport.sent.length === 1 ? response(503, 40_000) : response(200);
    await world.start([branches(1), { name: "pause", delay: { seconds: 5 } }]);
    await world.pass(39);
    expect(world.transport.sent).toHaveLength(1);
    expect(world.gates.calls).toBeGreaterThan(0);
    await world.pass(120);
    expect((await world.view()).status).toBe("COMPLETED");
  });
});

describe("a target with limits", () => {
  it("has no more requests at once than its concurrency, and all go in the end", async () => {
    const { world } = worldWith(limited({ concurrency: 2 }));
    world.transport.answer = async () => {
      await world.clock.timer(1_500).elapsed;
      return response(200);
    };
    await world.start([branches(7)]);
    await world.pass(120);
    expect(await world.view()).toMatchObject({ status: "COMPLETED" });
    expect(world.transport.mostAtOnce).toBe(2);
    expect(world.transport.sent).toHaveLength(7);
  });

  it("has no more starts a second than its rate", async () => {
    const { world } = worldWith(limited({ perSecond: 1 }));
    await world.start([branches(5)]);
    await world.pass(120);
    expect(await world.view()).toMatchObject({ status: "COMPLETED" });
    const starts = world.transport.sent.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    expect(starts).toHaveLength(5);
    for (const [at, ms] of starts.slice(1).entries())
      expect(ms - (starts[at] ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  it("is called by another step only after the Retry-After that one was given", async () => {
    const { world } = worldWith(limited({}));
    world.transport.answer = () =>
      world.transport.sent.length === 1 ? response(429, 50_000) : response(200);
    await world.start([
      {
        parallel: [
          [step("a", { action: toErp })],
          [{ name: "pause", delay: { seconds: 5 } }, step("b", { action: toErp })],
        ],
      },
    ]);
    await world.pass(10);
    const held = `the target "erp": gate: retry-after`;
    expect((await world.view()).steps.find(({ name }) => name === "b")).toMatchObject({ held });
    await world.pass(39);
    expect(world.transport.sent).toHaveLength(1);
    await world.pass(120);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("whose gate does not answer is not called", async () => {
    const { world } = worldWith(limited({}));
    const { tell } = world.gates;
    world.gates.tell = () => new Promise(() => {});
    await world.start([step("a", { action: toErp })]);
    await world.pass(30);
    expect(world.transport.sent).toEqual([]);
    expect((await world.view()).steps[0]?.held).toMatch(/its gate did not answer/);
    expect(world.log.of("gate-unreachable").length).toBeGreaterThan(0);
    world.gates.tell = tell;
    await world.pass(60);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("has its slot back from a step whose intent could not be written down", async () => {
    const { world } = worldWith(limited({ concurrency: 1 }));
    await world.start([{ name: "wait", delay: { seconds: 1 } }, step("a", { action: toErp })]);
    const { append } = world.journal();
    world.journal().append = () => {
      throw new Error("no room");
    };
    await world.pass(5);
    expect(world.transport.sent).toEqual([]);
    // Asked, and given back.
    expect(world.gates.calls).toBe(2);
    world.journal().append = append;
    await world.pass(8);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("gives its turn also to a step that stands behind parked deliveries for long", async () => {
    const { world } = worldWith(limited({ concurrency: 1 }));
    const { tell } = world.gates;
    const asked: boolean[] = [];
    world.gates.tell = (...told) => {
      const [, { ask }] = told;
      if (ask !== null) asked.push(ask.isReleased);
      return ask === null || ask.isReleased ? tell(...told) : new Promise(() => {});
    };
    await world.start([step("a", { action: toErp })]);
    await world.pass(GATE_BACKLOG_MS / 1_000 - 1);
    expect(new Set(asked)).toEqual(new Set([false]));
    await world.pass(120);
    expect((await world.view()).status).toBe("COMPLETED");
    expect(asked.at(-1)).toBe(true);
  });

  it("has its slot back from a step whose saga is paused while its gate is asked", async () => {
    const { world } = worldWith(limited({ concurrency: 1 }));
    const { tell } = world.gates;
    const { promise, resolve } = Promise.withResolvers<void>();
    world.gates.tell = (...asked) => promise.then(() => tell(...asked));
    await world.start([{ name: "wait", delay: { seconds: 1 } }, step("a", { action: toErp })]);
    await world.clock.advance(1_000);
    const driven = world.sagas.alarms();
    await idle();
    await world.command("pause");
    resolve();
    await driven;
    expect(world.transport.sent).toEqual([]);
    world.gates.tell = tell;
    await world.command("resume");
    await idle();
    expect((await world.view()).status).toBe("COMPLETED");
  });
});

describe("a target that wants an OAuth token", () => {
  const tokenUrl = "https://id.example.com/token";
  const erp = {
    url: "https://erp.example.com/",
    auth: { scheme: "oauth2", tokenUrl, clientId: "c", clientSecret: "s-secret" },
  } as Partial<Target>;
  const tokens = (...names: string[]) =>
    names.map((name) => ({
      ...({ kind: "response", status: 200, retryAfterMs: null } as const),
      body: `{"access_token":"t-${name}","token_type":"bearer","expires_in":3600}`,
    }));

  it("gets one, which its steps share and no journal keeps", async () => {
    const { world } = worldWith(erp);
    const [first = response(500)] = tokens("one");
    world.transport.answer = ({ url }) => (url === tokenUrl ? first : response(200));
    await world.start([step("a", { action: toErp }), step("b", { action: toErp })]);
    const seen = world.transport.sent.map(({ url, headers }) => [
      url,
      headers.get("authorization"),
    ]);
    expect(seen.slice(1)).toEqual([
      ["https://erp.example.com/", "Bearer t-one"],
      ["https://erp.example.com/", "Bearer t-one"],
    ]);
    expect(seen[0]?.[0]).toBe(tokenUrl);
    const kept = pack(world.journal().rows);
    for (const secret of ["t-one", "s-secret"]) expect(kept).not.toContain(secret);
  });

  it("and refuses it is asked again with another one, and nothing is undone", async () => {
    const { world } = worldWith(erp);
    const given = tokens("old", "new");
    world.transport.answer = ({ url, headers }) =>
      url === tokenUrl
        ? (given.shift() ?? response(500))
        : response(headers.get("authorization") === "Bearer t-new" ? 200 : 401);
    await world.start([step("a", { action: toErp })]);
    expect(await world.view()).toMatchObject({
      steps: [
        { state: "unknown", error: 'network: the target "erp" refused the token: status 401' },
      ],
    });
    await world.pass(30);
    expect((await world.view()).status).toBe("COMPLETED");
  });

  it("is not called unsigned when its last secret expires while the token is waited for", async () => {
    const { world, state } = worldWith(erp);
    const soon = new Date(world.clock.nowMs() + 1_000).toISOString();
    const key = keyOfSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", soon) as SigningKey;
    state.erp = { ...erp, signingKeys: [key] };
    const [late = response(500)] = tokens("late");
    world.transport.answer = ({ url }) =>
      url === tokenUrl ? world.clock.timer(3_000).elapsed.then(() => late) : response(200);
    await world.start([step("a", { action: toErp })]);
    await world.pass(5);
    expect(world.transport.sent.map(({ url }) => url)).toEqual([tokenUrl]);
  });

  it("is not called without one; after its attempts the step is in a person's hands", async () => {
    const { world } = worldWith(erp);
    world.transport.answer = () => response(503);
    await world.start([step("a", { action: toErp, compensate: { ...toErp, retry: RETRY } })]);
    expect((await world.view()).steps[0]).toMatchObject({
      error: "network: not sent: no token: the token endpoint answered 503",
    });
    await world.pass(600);
    expect((await world.view()).status).toBe("STUCK");
    expect(world.transport.sent.every(({ url }) => url === tokenUrl)).toBe(true);
  });
});
