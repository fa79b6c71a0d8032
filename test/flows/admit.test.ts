/** Admission: what a lease lets through, who shares a call, and what an outage lets in. */
import { beforeEach, describe, expect, it } from "vitest";
import { LEASE_TTL_MS, LIMITER_TIMEOUT_MS } from "../../src/core/limits.ts";
import type { Limit, Source, Tenant } from "../../src/core/tenant.ts";
import { type Admission, type Admitted, createAdmission } from "../../src/flows/admit.ts";
import type { LeaseAnswer, Limiter } from "../../src/ports/limiter.ts";
import { createFakeClock, type FakeClock, idle } from "../support/fake-clock.ts";
import { createMemoryLimiter, type MemoryLimiter } from "../support/memory-limiter.ts";
import { createMemoryLog, type MemoryLog } from "../support/memory-system.ts";
import { tenantOf } from "../support/memory-tenants.ts";

let clock: FakeClock;
let limiter: MemoryLimiter;
let log: MemoryLog;
let admission: Admission;

beforeEach(() => {
  clock = createFakeClock();
  limiter = createMemoryLimiter(clock);
  log = createMemoryLog();
  admission = createAdmission(limiter, clock, log);
});

const perSecond = (rate: number, burst = rate, overflow: Limit["overflow"] = "reject"): Limit => ({
  perSecond: rate,
  burst,
  overflow,
});

function acme(limits: { tenant?: Limit; source?: Limit } = {}, revision = 1) {
  const shop = { limit: limits.source ?? null, secretIds: ["secret-a", "secret-b"] };
  const tenant = tenantOf("acme", revision, {
    ...(limits.tenant === undefined ? {} : { limit: limits.tenant }),
    sources: { shop },
  });
  return { tenant, source: sourceOf(tenant) };
}

function sourceOf(tenant: Tenant): Source {
  const source = tenant.sources.get("shop");
  if (source === undefined) throw new Error("the tenant has no source");
  return source;
}

const kindsOf = (admitted: readonly Admitted[]): string[] => admitted.map(({ kind }) => kind);

/** `count` events, one after the other, at one moment. */
async function admitEach(
  { tenant, source }: { tenant: Tenant; source: Source },
  count: number,
): Promise<Admitted[]> {
  const admitted: Admitted[] = [];
  for (let each = 0; each < count; each += 1) {
    admitted.push(await admission.admit(tenant, source, 1));
  }
  return admitted;
}

/** A limiter that answers as the test says, each call in turn. */
function scripted(): { limiter: Limiter; calls: PromiseWithResolvers<LeaseAnswer>[] } {
  const calls: PromiseWithResolvers<LeaseAnswer>[] = [];
  return {
    calls,
    limiter: {
      ...limiter,
      lease: () => {
        const call = Promise.withResolvers<LeaseAnswer>();
        calls.push(call);
        return call.promise;
      },
    },
  };
}

describe("a newer configuration that was heard of", () => {
  it("costs nothing to hear of: the same events spend when they are judged by it", async () => {
    const limits = { tenant: perSecond(0.001, 1) };
    await limiter.announce("acme", 7);
    const heard = await admitEach(acme(limits), 2);
    expect(heard).toEqual(Array(2).fill({ kind: "admitted", revision: 7 }));
    expect(kindsOf(await admitEach(acme(limits, 7), 2))).toEqual(["admitted", "refused"]);
  });

  it("has nobody wait as long as an older limit said", async () => {
    const low = acme({ tenant: perSecond(0.001, 1) });
    expect(kindsOf(await admitEach(low, 1))).toEqual(["admitted"]);
    await limiter.announce("acme", 7);
    await clock.advance(LEASE_TTL_MS);
    await admitEach(low, 1);
    const raised = acme({ tenant: perSecond(100) }, 7);
    // A bucket begins empty when its rate is raised.
    const [first] = await admitEach(raised, 1);
    expect(first?.kind === "refused" && first.retryAfterMs).toBeLessThan(100);
    await clock.advance(100);
    expect(kindsOf(await admitEach(raised, 5))).toEqual(Array(5).fill("admitted"));
  });

  it("is not forgotten while the limiter cannot be reached", async () => {
    const { tenant, source } = acme({ tenant: perSecond(100) });
    await limiter.announce("acme", 7);
    expect(await admission.admit(tenant, source, 1)).toMatchObject({ revision: 7 });
    await clock.advance(LEASE_TTL_MS);
    limiter.lease = () => Promise.reject(new Error("down"));
    expect(await clock.run(admission.admit(tenant, source, 1))).toEqual({
      kind: "admitted",
      revision: 7,
    });
  });
});

describe("a clock that is set back", () => {
  it("keeps nobody refused until it has caught up", async () => {
    let offsetMs = 0;
    const wandering = { ...clock, nowMs: () => clock.nowMs() + offsetMs };
    const { limiter: asked, calls } = scripted();
    const slow = createAdmission(asked, wandering, log);
    const { tenant, source } = acme({ tenant: perSecond(1) });
    const answer = (granted: number) => {
      const grants = [{ scope: "tenant", granted, retryAfterMs: granted === 0 ? 60_000 : 0 }];
      calls.shift()?.resolve({ revision: 1, ttlMs: LEASE_TTL_MS, grants });
    };
    const admit = async (granted: number) => {
      const admitting = slow.admit(tenant, source, 1);
      await idle();
      answer(granted);
      return (await clock.run(admitting)).kind;
    };
    expect(await admit(0)).toBe("refused");
    offsetMs = -3_600_000;
    expect(await admit(1)).toBe("admitted");
  });
});

describe("without a limit", () => {
  it("everything is admitted, and one call a lease's life tells the rules' revision", async () => {
    const here = acme();
    limiter.revisions.set("acme", 7);
    expect(await admitEach(here, 50)).toEqual(
      Array.from({ length: 50 }, () => ({ kind: "admitted", revision: 7 })),
    );
    expect(limiter.asked).toHaveLength(1);
    await clock.advance(LEASE_TTL_MS);
    await admitEach(here, 50);
    expect(limiter.asked).toHaveLength(2);
  });

  it("a change of rules is heard within a lease's life", async () => {
    const here = acme();
    await admitEach(here, 1);
    await limiter.announce("acme", 9);
    await clock.advance(LEASE_TTL_MS);
    expect(await admitEach(here, 1)).toEqual([{ kind: "admitted", revision: 9 }]);
  });
});

describe("a limit", () => {
  it("admits its burst and refuses the next, with the time to wait", async () => {
    const admitted = await admitEach(acme({ tenant: perSecond(10, 20) }), 21);
    expect(kindsOf(admitted.slice(0, 20))).toEqual(Array(20).fill("admitted"));
    expect(admitted[20]).toMatchObject({ kind: "refused", scope: "tenant", retryAfterMs: 100 });
  });

  it("admits again after the time it said", async () => {
    const here = acme({ tenant: perSecond(10, 20) });
    const refused = (await admitEach(here, 21))[20];
    if (refused?.kind !== "refused") throw new Error("it is not refused");
    await clock.advance(refused.retryAfterMs);
    expect(kindsOf(await admitEach(here, 2))).toEqual(["admitted", "refused"]);
  });

  it("that is known to be reached is not asked about again until then", async () => {
    const here = acme({ tenant: perSecond(2, 2) });
    await admitEach(here, 3);
    const asked = limiter.asked.length;
    await admitEach(here, 100);
    await clock.advance(400);
    expect(kindsOf(await admitEach(here, 1))).toEqual(["refused"]);
    expect(limiter.asked).toHaveLength(asked);
    await clock.advance(100);
    expect(kindsOf(await admitEach(here, 1))).toEqual(["admitted"]);
  });

  it("of the source names the source, and each source has its own", async () => {
    const { tenant, source } = acme({ source: perSecond(1) });
    await admission.admit(tenant, source, 1);
    expect(await admission.admit(tenant, source, 1)).toMatchObject({ scope: "source" });
    const other = { ...source, id: "other" };
    expect(await admission.admit(tenant, other, 1)).toMatchObject({ kind: "admitted" });
  });

  it("with overflow demote lets the rest in, as demoted", async () => {
    const admitted = await admitEach(acme({ tenant: perSecond(1, 1, "demote") }), 2);
    expect(admitted).toEqual([
      { kind: "admitted", revision: 1 },
      { kind: "demoted", scope: "tenant", revision: 1 },
    ]);
  });

  it("of one tenant does not touch another's", async () => {
    await admitEach(acme({ tenant: perSecond(1) }), 5);
    const other = tenantOf("other", 1, { limit: perSecond(1), sources: { shop: {} } });
    expect(await admission.admit(other, sourceOf(other), 1)).toMatchObject({ kind: "admitted" });
  });

  it("never admits more than its burst and its rate, whatever the order of calls", async () => {
    const here = acme({ tenant: perSecond(50, 100) });
    let admitted = 0;
    for (let tick = 0; tick < 100; tick += 1) {
      const answers = Promise.all(
        Array.from({ length: 1 + (tick % 7) }, () => admission.admit(here.tenant, here.source, 1)),
      );
      admitted += (await clock.run(answers)).filter(({ kind }) => kind === "admitted").length;
      await clock.advance(17);
    }
    expect(admitted).toBeLessThanOrEqual(100 + 50 * 1.7);
    expect(admitted).toBeGreaterThan(100);
  });
});

describe("a batch", () => {
  it("is admitted whole or not at all", async () => {
    const { tenant, source } = acme({ tenant: perSecond(10) });
    expect(await admission.admit(tenant, source, 7)).toMatchObject({ kind: "admitted" });
    expect(await admission.admit(tenant, source, 7)).toMatchObject({ kind: "refused" });
    expect(await admission.admit(tenant, source, 7)).toMatchObject({ kind: "refused" });
    expect(limiter.asked).toHaveLength(2);
    expect(await admission.admit(tenant, source, 3)).toMatchObject({ kind: "admitted" });
  });

  it("that no burst could ever hold does not keep lone events out", async () => {
    const { tenant, source } = acme({ tenant: perSecond(10) });
    for (let each = 0; each < 5; each += 1) {
      const answers = await clock.run(
        Promise.all([admission.admit(tenant, source, 1_000), admission.admit(tenant, source, 1)]),
      );
      expect(kindsOf(answers)).toEqual(["refused", "admitted"]);
    }
  });

  it("larger than the burst is refused after one call, not tried for ever", async () => {
    const { tenant, source } = acme({ tenant: perSecond(10) });
    const admitted = await clock.run(admission.admit(tenant, source, 11));
    expect(admitted).toMatchObject({ kind: "refused", scope: "tenant" });
    expect(limiter.asked).toHaveLength(1);
  });

  it("that the tenant refuses costs the source nothing", async () => {
    const { tenant, source } = acme({ tenant: perSecond(1, 2), source: perSecond(1, 3) });
    expect(await admission.admit(tenant, source, 3)).toMatchObject({ scope: "tenant" });
    const alone = acme({ source: perSecond(1, 3) });
    expect(await admission.admit(alone.tenant, alone.source, 3)).toMatchObject({
      kind: "admitted",
    });
  });
});

describe("events that wait at one moment", () => {
  it("share calls: the first asks for itself, the next for all who have come meanwhile", async () => {
    const { tenant, source } = acme({ tenant: perSecond(1_000) });
    const waiting = Array.from({ length: 40 }, () => admission.admit(tenant, source, 1));
    expect(kindsOf(await Promise.all(waiting))).toEqual(Array(40).fill("admitted"));
    expect(limiter.asked.map(({ asks }) => asks[0]?.wanted)).toEqual([1, 39]);
  });

  it("without a limit share one call", async () => {
    const { tenant, source } = acme();
    const waiting = Array.from({ length: 40 }, () => admission.admit(tenant, source, 1));
    expect(kindsOf(await Promise.all(waiting))).toEqual(Array(40).fill("admitted"));
    expect(limiter.asked).toHaveLength(1);
  });

  it("ask for themselves when whoever asked for them is gone", async () => {
    const script = scripted();
    const shared = createAdmission(script.limiter, clock, log);
    const { tenant, source } = acme();
    void shared.admit(tenant, source, 1); // its request dies: the answer never comes
    await clock.advance(1);
    const other = shared.admit(tenant, source, 1);
    await clock.advance(LIMITER_TIMEOUT_MS);
    expect(await clock.run(other)).toMatchObject({ kind: "admitted" });
  });
});

describe("a limiter that cannot be reached", () => {
  const failing = (lease: Limiter["lease"]): Admission =>
    createAdmission({ ...limiter, lease }, clock, log);
  const { tenant, source } = acme({ tenant: perSecond(1) });

  it.each<[string, Limiter["lease"]]>([
    ["that rejects", () => Promise.reject(new Error("no object"))],
    [
      "that throws",
      () => {
        throw new Error("no binding");
      },
    ],
    ["that hangs", () => new Promise(() => {})],
  ])("%s lets everything in for a lease's life, and is logged once", async (_, lease) => {
    let calls = 0;
    const open = failing((...parameters) => {
      calls += 1;
      return lease(...parameters);
    });
    const admitted: Admitted[] = [];
    for (let each = 0; each < 20; each += 1) {
      admitted.push(await clock.run(open.admit(tenant, source, 5)));
      await clock.advance(LEASE_TTL_MS / 20 - 1);
    }
    expect(admitted).toEqual(Array(20).fill({ kind: "admitted", revision: 1 }));
    expect(calls).toBe(1);
    expect(log.of("limiter-unreachable")).toMatchObject([{ tenant: "acme", policy: "open" }]);
    await clock.advance(LEASE_TTL_MS);
    await clock.run(open.admit(tenant, source, 5));
    expect([calls, log.lines.length]).toEqual([2, 2]);
  });

  it("lets in those who waited for its answer, with one line in the log", async () => {
    const open = failing(() => Promise.reject(new Error("no object")));
    const waiting = Array.from({ length: 10 }, () => open.admit(tenant, source, 1));
    expect(kindsOf(await clock.run(Promise.all(waiting)))).toEqual(Array(10).fill("admitted"));
    expect(log.lines).toHaveLength(1);
  });

  it("counts again as soon as it answers", async () => {
    let isDown = true;
    const open = failing((...parameters) =>
      isDown ? Promise.reject(new Error("down")) : limiter.lease(...parameters),
    );
    await open.admit(tenant, source, 1);
    isDown = false;
    await clock.advance(LEASE_TTL_MS);
    expect(await open.admit(tenant, source, 1)).toMatchObject({ kind: "admitted" });
    expect(await open.admit(tenant, source, 1)).toMatchObject({ kind: "refused" });
  });

  it("does not write the error's secrets into the log", async () => {
    const open = failing(() => Promise.reject(new TypeError("gone")));
    await open.admit(tenant, source, 1);
    expect(Object.keys(log.lines[0] ?? {}).toSorted()).toEqual([
      "error",
      "event",
      "level",
      "policy",
      "tenant",
    ]);
  });
});

describe("a secret that verified something", () => {
  it("is told with the next call, once", async () => {
    const { tenant, source } = acme();
    admission.secretUsed(tenant, source, 1);
    admission.secretUsed(tenant, source, 1);
    await admission.admit(tenant, source, 1);
    await clock.advance(LEASE_TTL_MS);
    await admission.admit(tenant, source, 1);
    expect(limiter.asked.map(({ secretsUsed }) => secretsUsed)).toEqual([["secret-b"], []]);
  });

  it("is told again when the call fails", async () => {
    const { tenant, source } = acme();
    let isDown = true;
    const flaky = createAdmission(
      {
        ...limiter,
        lease: (...parameters) =>
          isDown ? Promise.reject(new Error("down")) : limiter.lease(...parameters),
      },
      clock,
      log,
    );
    flaky.secretUsed(tenant, source, 0);
    await flaky.admit(tenant, source, 1);
    isDown = false;
    await clock.advance(LEASE_TTL_MS);
    await flaky.admit(tenant, source, 1);
    expect(limiter.asked.map(({ secretsUsed }) => secretsUsed)).toEqual([["secret-a"]]);
  });
});

describe("state", () => {
  it("is not shared between isolates, but their limiter is", async () => {
    const here = acme({ tenant: perSecond(1, 10) });
    const other = createAdmission(limiter, clock, log);
    await admitEach(here, 10);
    await idle();
    expect(await other.admit(here.tenant, here.source, 1)).toMatchObject({ kind: "refused" });
  });
});
