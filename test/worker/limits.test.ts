/** Limits over HTTP: what is let in, counted at the receiver, and what those outside are told. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answered,
  idsOf,
  limit,
  limitedTenant,
  ONCE_PER_HOUR,
  ruleForAll,
  sendOne,
  sendTo,
} from "../support/limited-tenants.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { routerHere, stateHere } from "../support/router-here.ts";
import { type Sent, statusesOf, withStatus } from "../support/senders.ts";
import { eventually } from "../support/wait.ts";
import { mostAboveRate } from "../support/windows.ts";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const tenant = (
  id: string,
  limits: Parameters<typeof limitedTenant>[3] = {},
  on: Router = router,
): Promise<void> => limitedTenant(on, id, `${receiver.url}/${id}`, limits);

const send = (path: string, howMany: Parameters<typeof sendTo>[2], on: Router = router) =>
  sendTo(on, path, howMany);

const one = (path: string): Promise<Answered> => sendOne(router, path);

/** The ids of the events that the receiver was sent for a tenant, once there are `count` of them. */
async function delivered(id: string, count: number): Promise<string[]> {
  const requests = await eventually(
    async () => receiver.received.filter(({ path }) => path === `/${id}`),
    (got) => got.length >= count,
  );
  return requests.map(({ headers }) => String(headers["signalbox-event"])).sort();
}

describe("a tenant far above its limit", () => {
  const rate = { perSecond: 5, burst: 20 };
  const loud: Sent[] = [];
  const calm: Sent[] = [];

  beforeAll(async () => {
    await tenant("loud", { tenant: limit(rate.perSecond, rate.burst) });
    await tenant("calm-a", { tenant: limit(1_000, 1_000) });
    await tenant("calm-b", { tenant: limit(1_000, 1_000) });
    let done = false;
    const sending = send("loud/open", {
      senders: 8,
      enough: (sent) => withStatus(sent, 202).length >= 2.5 * rate.burst,
    }).finally(() => {
      done = true;
    });
    const others = ["calm-a/open", "calm-b/open"].map((path) => send(path, { enough: () => done }));
    loud.push(...(await sending));
    calm.push(...(await Promise.all(others)).flat());
  });

  it("is let in no more than B + R·w + min(R·T, W·L) times in any window w", () => {
    expect(withStatus(loud, 429).length).toBeGreaterThan(withStatus(loud, 202).length);
    const admitted = withStatus(loud, 202).map(({ sentMs, answeredMs }) => {
      return { fromMs: sentMs, toMs: answeredMs, count: 1 };
    });
    // R·T with T = 1 s; W·L with the one isolate of the local engine and a tenth of the burst.
    const carried = Math.min(rate.perSecond * 1, 1 * (rate.burst / 10));
    const millisecond = rate.perSecond / 1_000; // what the clock of both sides cannot tell apart
    const most = rate.burst + carried + 2 * millisecond;
    expect(mostAboveRate(admitted, rate.perSecond)).toBeLessThanOrEqual(most);
  });

  it("has delivered what was let in, and nothing that was refused", async () => {
    const admitted = idsOf(withStatus(loud, 202));
    expect(await delivered("loud", admitted.length)).toEqual(admitted);
    expect(statusesOf(loud)).toEqual(new Set([202, 429]));
  });

  it("makes no other tenant see a refusal", () => {
    expect(calm.length).toBeGreaterThan(20);
    expect(statusesOf(calm)).toEqual(new Set([202]));
  });
});

describe("a refusal", () => {
  it("names the tenant's limit and says when to come again, as a header and to the millisecond", async () => {
    await tenant("told", { tenant: limit(2, 2) });
    const sent = await send("told/open", { senders: 4, count: 20 });
    const refused = withStatus(sent, 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const { answer, retryAfter } of refused) {
      const { type, scope, retryAfterMs } = JSON.parse(answer);
      expect([new URL(type).pathname, scope]).toEqual(["/problems/rate-limited", "tenant"]);
      expect(retryAfterMs).toBeGreaterThan(0);
      expect(retryAfterMs).toBeLessThanOrEqual(500); // one token at two a second
      expect(retryAfter).toBe(String(Math.ceil(retryAfterMs / 1_000)));
    }
  });

  it("is not repeated to whoever waits as long as it said", async () => {
    await tenant("patient", { tenant: limit(2, 1) });
    await send("patient/open", { count: 1 });
    for (let round = 0; round < 3; round += 1) {
      const refused = await one("patient/open");
      expect(refused.status).toBe(429);
      const dueMs = refused.answeredMs + refused.json.retryAfterMs;
      const tries = await send("patient/open", {
        enough: (sent) => withStatus(sent, 202).length > 0,
      });
      expect(withStatus(tries, 429).filter(({ sentMs }) => sentMs > dueMs)).toEqual([]);
    }
  });

  it("by a source's limit names the source, and leaves the tenant's other source open", async () => {
    await tenant("two-doors", { open: limit(ONCE_PER_HOUR, 3) });
    const sent = await send("two-doors/open", { count: 10 });
    expect(withStatus(sent, 202)).toHaveLength(3);
    expect((await one("two-doors/open")).json.scope).toBe("source");
    expect(statusesOf(await send("two-doors/other", { count: 10 }))).toEqual(new Set([202]));
  });

  it("by the tenant's limit holds for every source of it", async () => {
    await tenant("one-roof", { tenant: limit(ONCE_PER_HOUR, 3) });
    await send("one-roof/open", { count: 3 });
    expect((await one("one-roof/other")).json).toMatchObject({ scope: "tenant" });
    expect((await one("one-roof/open")).json).toMatchObject({ scope: "tenant" });
  });

  it("of a batch leaves what tokens there are to those who need fewer", async () => {
    await tenant("bulky", { tenant: limit(ONCE_PER_HOUR, 10) });
    await send("bulky/open", { count: 5 });
    const refused = await batch("bulky/open", 6);
    expect([refused.status, refused.body.scope]).toEqual([429, "tenant"]);
    expect(statusesOf(await send("bulky/open", { count: 5 }))).toEqual(new Set([202]));
    expect((await one("bulky/open")).status).toBe(429);
  });

  it("of a batch beyond the burst is for good, and shuts nobody else out", async () => {
    await tenant("huge", { tenant: limit(ONCE_PER_HOUR, 10) });
    const refused = await batch("huge/open", 11);
    expect([refused.status, refused.body.eventsMax]).toEqual([413, 10]);
    expect((await batch("huge/open", 10)).status).toBe(202);
  });
});

/** Sends so many CloudEvents in one request. */
async function batch(path: string, count: number) {
  const events = Array.from({ length: count }, (_, index) => {
    const id = `${index} at ${performance.now()}`;
    return { specversion: "1.0", id, source: "/shop", type: "order", data: {} };
  });
  const response = await router.send(path, {
    headers: { "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(events),
  });
  return { status: response.status, body: (await response.json()) as BatchRefusal };
}

interface BatchRefusal {
  readonly scope?: string;
  readonly eventsMax?: number;
}

describe("overflow demote", () => {
  it("accepts everything and sends what is over the limit as bulk, losing nothing", async () => {
    await tenant("patched", { tenant: limit(ONCE_PER_HOUR, 5, "demote") });
    const sent = await send("patched/open", { senders: 8, count: 40 });
    expect(statusesOf(sent)).toEqual(new Set([202]));
    const by = Map.groupBy(sent, ({ answer }) => JSON.parse(answer).priorities.join());
    expect([...by.keys()].sort()).toEqual(["bulk", "critical"]);
    expect(by.get("critical")).toHaveLength(5);

    expect(await delivered("patched", 40)).toEqual(idsOf(sent));
    const { items } = await eventually(
      async () => (await router.admin.get("tenants/patched/deliveries?state=delivered")).body,
      (page) => page.items.length === 40,
    );
    const listed: readonly { readonly priority: string; readonly eventId: string }[] = items;
    const events = (priority: string) =>
      listed
        .filter((item) => item.priority === priority)
        .map(({ eventId }) => eventId)
        .sort();
    expect(events("critical")).toEqual(idsOf(by.get("critical") ?? []));
    expect(events("bulk")).toEqual(idsOf(by.get("bulk") ?? []));
  });
});

describe("a change", () => {
  it("of a rule holds for the very next event, each time", async () => {
    await tenant("edited");
    const put = (rule: object) => router.admin.put("tenants/edited/rules/all", ruleForAll(rule));
    for (const priority of ["bulk", "normal", "critical", "bulk"]) {
      await put({ priority });
      expect((await one("edited/open")).json.priorities).toEqual([priority]);
    }
    await put({ enabled: false });
    expect((await one("edited/open")).json.priorities).toEqual([]);
  });

  it("to a higher limit opens a tenant that was shut, however long it would have been", async () => {
    await tenant("raised", { tenant: limit(ONCE_PER_HOUR, 2) });
    const shut = await send("raised/open", { count: 4 });
    expect(withStatus(shut, 429)).toHaveLength(2);
    await router.admin.put("tenants/raised", { limit: limit(100, 2) });
    const open = await eventually(
      () => one("raised/open"),
      ({ status }) => status === 202,
    );
    expect(open.status).toBe(202);
  });
});

describe("after a restart", () => {
  it("an empty bucket is still empty, and refuses", async () => {
    const stateDirectory = stateHere();
    const before = await routerHere({ stateDirectory });
    await tenant("spent", { tenant: limit(ONCE_PER_HOUR, 3) }, before);
    await tenant("unspent", { tenant: limit(ONCE_PER_HOUR, 3) }, before);
    expect(statusesOf(await send("spent/open", { count: 3 }, before))).toEqual(new Set([202]));
    await before.stop();
    const after = await routerHere({ stateDirectory, vars: before.vars });
    expect(statusesOf(await send("spent/open", { count: 3 }, after))).toEqual(new Set([429]));
    expect(statusesOf(await send("unspent/open", { count: 3 }, after))).toEqual(new Set([202]));
  });
});
