/** What limits a target, a queue and a tenant right now, by whom and since when, as an operator reads it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { receiverHere } from "../support/answers.ts";
import { limit, ONCE_PER_HOUR, sendTo } from "../support/limited-tenants.ts";
import { type Router, startRouter } from "../support/router.ts";
import { statusesOf } from "../support/senders.ts";
import { prepareTenant } from "../support/tenant.ts";
import { eventually } from "../support/wait.ts";

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});
afterAll(() => router?.stop());

interface Limited {
  readonly by: string;
  readonly since: string;
  readonly until: string | null;
  readonly detail: string;
}

const limitsOf = async (path: string): Promise<readonly Limited[]> =>
  (await router.admin.get(path)).body.limits;

describe("a target's view", () => {
  it("names its rules when none sends to it any more, and since when", async () => {
    const { admin } = router;
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "ruleless", { sink: { url: receiver.url } });
    const gate = `${tenant.path}/targets/sink/gate`;
    expect(await limitsOf(gate)).toEqual([]);
    const rule = (await admin.get(`${tenant.path}/rules/sink`)).body;
    const { pattern, priority, targets } = rule;
    const disabled = { pattern, priority, targets, enabled: false };
    const since = (await admin.put(`${tenant.path}/rules/sink`, disabled)).body.updatedAt;
    expect(await limitsOf(gate)).toEqual([
      { by: "rule", since, until: null, detail: "no enabled rule sends to it" },
    ]);
    await admin.put(`${tenant.path}/rules/sink`, { ...disabled, enabled: true });
    expect(await limitsOf(gate)).toEqual([]);
  });

  it("names the operator who paused a queue that its rules use, and nobody for another queue", async () => {
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "queued", { sink: { url: receiver.url } });
    const gate = `${tenant.path}/targets/sink/gate`;
    await router.admin.post("queues/bulk/pause");
    expect(await limitsOf(gate)).toEqual([]);
    const { pausedAt } = (await router.admin.post("queues/critical/pause")).body;
    const found = await limitsOf(gate);
    for (const queue of ["bulk", "critical"]) await router.admin.post(`queues/${queue}/resume`);
    expect(found).toEqual([
      {
        ...{ by: "operator", since: pausedAt, until: null },
        detail: "the queue critical: Paused: its messages are kept until it is resumed.",
      },
    ]);
    expect(await limitsOf(gate)).toEqual([]);
  });
});

describe("a tenant's view", () => {
  it("has what its limits admitted, demoted and refused, what is left, and since when it is limited", async () => {
    const { admin } = router;
    const receiver = await receiverHere();
    const tenant = await prepareTenant(router, "viewed", { sink: { url: receiver.url } });
    const view = `${tenant.path}/limits`;
    expect((await admin.get(view)).body).toEqual({ limits: [], scopes: [] });
    await admin.put(tenant.path, { limit: limit(ONCE_PER_HOUR, 10, "demote") });
    await admin.put(`${tenant.path}/sources/strict`, {
      ...{ verify: { scheme: "none" }, limit: limit(ONCE_PER_HOUR, 2) },
    });
    const before = Date.now() - 1_000;
    expect(statusesOf(await sendTo(router, "viewed/open", { count: 12 }))).toEqual(new Set([202]));
    const refused = await sendTo(router, "viewed/strict", { count: 3 });
    expect(refused.map(({ status }) => status)).toEqual([202, 202, 429]);
    const { body } = await eventually(
      () => admin.get(view),
      (answer) => answer.body.limits.length === 2,
    );
    const own = { scope: "tenant", source: null, burst: 10, overflow: "demote", tokens: 0 };
    const its = { scope: "source", source: "strict", burst: 2, overflow: "reject", tokens: 0 };
    expect(body.scopes).toMatchObject([
      { ...own, refused: 0 },
      { ...its, demoted: 0 },
    ]);
    expect(body.scopes[0].admitted).toBeGreaterThan(5);
    const limits: readonly Limited[] = body.limits;
    for (const { by, since, until } of limits) {
      expect([by, until]).toEqual(["tenant", null]);
      expect(Date.parse(since)).toBeGreaterThanOrEqual(before);
    }
    expect(limits.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^the limit of the tenant: .* goes as bulk$/),
      expect.stringMatching(/^the limit of the source "strict": .* is refused$/),
    ]);
    expect((await limitsOf(`${tenant.path}/targets/sink/gate`)).map(({ by }) => by)).toContain(
      "tenant",
    );
  });

  it("of an unknown tenant is not found", async () => {
    expect((await router.admin.get("tenants/nobody/limits")).status).toBe(404);
  });
});
