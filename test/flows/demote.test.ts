/** Above a limit that demotes everything is taken, as bulk: nobody's urgent events wait for it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Priority, QueueName } from "../../src/core/priority.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import type { World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { createSender, type Sender } from "./sender.ts";

const BURST = 5;
const FLOOD = 200;

let sender: Sender;
let world: World;
let deliver: DeliverPorts;

beforeEach(() => {
  sender = createSender();
  ({ world } = sender);
  ({ deliver } = sender.isolate);
  const limit = { perSecond: 0.001, burst: BURST, overflow: "demote" } as const;
  for (const tenant of ["loud", "calm"]) {
    world.tenants.put(tenant, {
      ...(tenant === "loud" ? { limit } : {}),
      sources: { open: {} },
      targets: { sink: { url: `https://${tenant}.example.com/` }, log: {} },
      rules: {
        alarms: { priority: "critical", targets: ["sink"] },
        records: { priority: "normal", targets: ["log"] },
      },
    });
  }
  world.transport.answer = async () => {
    await world.clock.timer(50).elapsed;
    return response(200);
  };
});

const post = (tenant: string, at: number) =>
  sender.accepted(`${tenant}/open`, JSON.stringify({ at, tenant }));

/** One batch of a queue that a consumer of its own works on. */
async function work(queue: QueueName): Promise<number> {
  const messages = world.queues.take(queue, 10);
  await world.clock.run(deliverBatch(queue, messages, deliver));
  return messages.length;
}

async function workOff(queue: QueueName): Promise<void> {
  while ((await work(queue)) > 0);
}

const rowsOf = (tenant: string, priority: Priority, target = "sink") =>
  [...world.ledger.deliveries.values()].filter((row) => {
    return row.tenant === tenant && row.priority === priority && row.target === target;
  });
const sentTo = (host: string) => world.transport.sent.filter(({ url }) => url.includes(host));

describe("a tenant above its limit that demotes", () => {
  it("keeps the priority of what is within, and has the rest of it go as bulk, whatever its rules say", async () => {
    const answers = [];
    for (let at = 0; at < FLOOD; at += 1) answers.push(...(await post("loud", at)));
    const asBulk = answers.filter(({ priorities }) => priorities.join() === "bulk");
    expect(asBulk).toHaveLength(FLOOD - BURST);
    for (const queue of ["critical", "normal", "bulk"] as const) await workOff(queue);
    const all = [...world.ledger.deliveries.values()];
    expect(new Set(all.map(({ state }) => state))).toEqual(new Set(["delivered"]));
    expect([rowsOf("loud", "critical").length, rowsOf("loud", "normal", "log").length]).toEqual([
      BURST,
      BURST,
    ]);
    const bulk = [rowsOf("loud", "bulk"), rowsOf("loud", "bulk", "log")];
    expect(bulk.map(({ length }) => length)).toEqual([FLOOD - BURST, FLOOD - BURST]);
  });

  it("holds up no urgent event of another, nor those of its own that are within", async () => {
    for (let at = 0; at < FLOOD; at += 1) await post("loud", at);
    for (let at = 0; at < BURST; at += 1) await post("calm", at);
    const fromMs = world.clock.nowMs();
    await workOff("critical");
    // Two rounds of six connections: nothing else is in that queue.
    expect(sentTo("calm")).toHaveLength(BURST);
    expect(sentTo("loud")).toHaveLength(BURST);
    expect(world.clock.nowMs() - fromMs).toBeLessThanOrEqual(200);
    await workOff("bulk");
    expect(sentTo("loud")).toHaveLength(FLOOD);
  });

  it("is refused nothing, while one that rejects is", async () => {
    const limit = { perSecond: 0.001, burst: 1, overflow: "reject" } as const;
    world.tenants.put("strict", { limit, sources: { open: {} } });
    await post("strict", 1);
    expect(await sender.refused("strict/open", '{"at":2}')).toMatchObject({
      slug: "rate-limited",
    });
    for (let at = 0; at <= BURST; at += 1) await post("loud", at);
  });
});

describe("a source and its tenant that both have limits", () => {
  const few = (overflow: "reject" | "demote") => ({ perSecond: 0.001, burst: 3, overflow });
  const many = (overflow: "reject" | "demote") => ({ perSecond: 0.001, burst: 6, overflow });
  const statusOf = async (tenant: string, at: number) => {
    const answer = await sender.send(`${tenant}/open`, JSON.stringify({ at }));
    if (answer.kind === "refused") return answer.problem.slug;
    return answer.kind === "accepted" ? answer.events[0]?.priorities.join() : answer.kind;
  };
  async function statuses(limits: {
    tenant: ReturnType<typeof few>;
    source: typeof limits.tenant;
  }) {
    const { tenant: limit, source } = limits;
    const name = `both-${Object.values(limits)
      .map(({ overflow }) => overflow)
      .join("-")}`;
    world.tenants.put(name, {
      ...{ limit, sources: { open: { limit: source } }, targets: { sink: {} } },
      rules: { all: { priority: "critical", targets: ["sink"] } },
    });
    const all: unknown[] = [];
    for (let at = 0; at < 9; at += 1) all.push(await statusOf(name, at));
    return all;
  }
  const [critical, bulk, refused] = [3, 3, 3].map((count, at) =>
    Array(count).fill(["critical", "bulk", "rate-limited"][at]),
  );

  it("have the one refuse what is above it although the other only demotes", async () => {
    const expected = [critical, bulk, refused].flat();
    expect(await statuses({ tenant: many("reject"), source: few("demote") })).toEqual(expected);
    expect(await statuses({ tenant: few("demote"), source: many("reject") })).toEqual(expected);
  });

  it("demote what is above either of them where both do", async () => {
    const all = await statuses({ tenant: many("demote"), source: few("demote") });
    expect(all).toEqual([critical, bulk, bulk].flat());
  });
});
