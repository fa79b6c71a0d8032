/** A list becomes an event for each element: all of them, each once, at its pace, whatever dies on the way. */
import { beforeEach, describe, expect, it } from "vitest";
import { elementId } from "../../src/core/fan-out/element.ts";
import {
  FANOUT_AGE_MS_MAX,
  FANOUT_AHEAD_MAX,
  FANOUT_ELEMENT_BYTES_MAX,
  FANOUT_OVERDUE_MS,
  FANOUT_PAGE,
  FANOUT_RETRY_MS,
  FANOUT_WAIT_MS,
  FANOUT_WAIT_MS_MAX,
} from "../../src/core/fan-out/limits.ts";
import { CANCELLED, type FanOutPorts } from "../../src/flows/fan-out-page.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { DeliveryRow } from "../support/memory-ledger.ts";
import { response } from "../support/memory-transport.ts";
import { down } from "./consumer.ts";
import { createMailing, listOf, type Mailing, states } from "./mailing.ts";

const bodies = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ n }));

/** The delivery of the list itself. */
const listRow = ({ world }: Mailing): DeliveryRow | undefined =>
  [...world.ledger.deliveries.values()].find(({ target }) => target === "");

let mailing: Mailing;
beforeEach(() => {
  mailing = createMailing();
});

describe("a list", () => {
  it("becomes an event for each element, with the element as its body", async () => {
    await mailing.send(listOf(7));
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(7));
    const headers = mailing.world.transport.sent.map((sent) => Object.fromEntries(sent.headers));
    const { id, event } = mailing.fanOut() ?? {};
    const indexes = headers.map((each) => each["signalbox-index"]).sort();
    expect(indexes).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
    for (const each of headers) {
      expect(each).toMatchObject({
        ...{ "content-type": "application/json", "signalbox-rule": "blast" },
        ...{ "signalbox-fan-out": id, "signalbox-list-event": event, "signalbox-count": "7" },
      });
    }
    expect(new Set(headers.map((each) => each["webhook-id"])).size).toBe(7);
    expect(mailing.fanOut()).toMatchObject({ state: "done", sent: 7, total: 7 });
    expect(await states(mailing)).toEqual({ delivered: 7 });
    expect(listRow(mailing)).toMatchObject({ state: "delivered", log: [{ answer: id }] });
  });

  it("is not waited for by its sender, and is not delivered as it came", async () => {
    await mailing.send(listOf(2));
    expect(mailing.fanOut()).toBeUndefined();
    await mailing.finish();
    expect(mailing.received()).not.toContain(listOf(2));
  });

  it("goes to every target of its rule, transformed where the rule says so", async () => {
    const transformers = {
      log: {
        paths: { n: "$.data.n", at: "$.elementOf.index" },
        template: { number: "<n>", at: "<at>" },
        missing: "refuse" as const,
      },
    };
    mailing = createMailing({ targets: ["mail", "log"], transformers });
    await mailing.send(listOf(3));
    await mailing.finish();
    expect(mailing.received("mail").sort()).toEqual(bodies(3));
    expect(mailing.received("log").sort()).toEqual([
      ...['{"number":0,"at":0}', '{"number":1,"at":1}', '{"number":2,"at":2}'],
    ]);
    expect(await states(mailing)).toEqual({ delivered: 6 });
  });

  it("that was demoted leads to nothing more urgent than bulk, also by way of an event target", async () => {
    const limit = { perSecond: 0.001, burst: 1, overflow: "demote" } as const;
    mailing.world.tenants.put("acme", {
      sources: { lists: { limit } },
      targets: { again: { other: { kind: "event", source: "made", type: null } }, mail: {} },
      rules: {
        blast: {
          pattern: { data: { kind: ["list"] } },
          ...{ priority: "critical", targets: ["again"], forEach: "$.data.recipients" },
        },
        told: { pattern: { source: ["made"] }, priority: "critical", targets: ["mail"] },
      },
    });
    await mailing.send('{"kind":"the one within the limit"}');
    await mailing.send('{"kind":"list","recipients":[{"n":0},{"n":1}]}');
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(2));
    const rows = [...mailing.world.ledger.deliveries.values()].filter(({ rule }) => rule !== "");
    expect(rows.map(({ target, priority }) => `${target} ${priority}`).sort()).toEqual([
      ...[" bulk", "again bulk", "again bulk", "mail bulk", "mail bulk"],
    ]);
  });

  it("that is too big for a message is read from where it rests, and keeps what it says", async () => {
    const note = "é".repeat(200);
    const list = Array.from({ length: 400 }, (_, n) => `{"n":${n}.0,"note":"${note}"}`);
    await mailing.send(`{"subject":"Hello","recipients":[\n${list.join(" ,\n")}\n]}`);
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(list.sort());
  });

  it("in the envelope of a CloudEvent is found as in any body", async () => {
    const event = { specversion: "1.0", id: "1", source: "/lists", type: "blast" };
    const json = JSON.stringify({ ...event, data: { recipients: ["a", "b"] } });
    const headers = { "content-type": "application/cloudevents+json", "idempotency-key": "1" };
    await mailing.send(json, headers);
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(['"a"', '"b"']);
    const ids = mailing.world.transport.sent.map(({ headers }) => headers.get("ce-id"));
    expect(new Set(ids).size).toBe(2);
    // A receiver that knows requests by it would take all elements for one.
    for (const sent of mailing.world.transport.sent) {
      expect(sent.headers.has("idempotency-key")).toBe(false);
    }
  });

  it("that is empty is done with nothing to do", async () => {
    await mailing.send('{"recipients":[]}');
    await mailing.finish();
    expect(mailing.fanOut()).toMatchObject({ state: "done", total: 0, sent: 0 });
    expect(mailing.world.fanOuts.woken).toEqual([]);
    expect(listRow(mailing)).toMatchObject({ state: "delivered" });
  });

  it("that comes twice is sent once", async () => {
    await mailing.send(listOf(3));
    await mailing.send(listOf(3));
    await mailing.finish();
    expect(mailing.received()).toHaveLength(3);
    expect(mailing.world.ledger.duplicates.size).toBe(1);
  });

  it.each([
    ['{"to":[1]}', "not fanned out: there is nothing at $.data.recipients"],
    ['{"recipients":{"a":1}}', "not fanned out: $.data.recipients is an object, and no list"],
    ["a=1&b=2", "not fanned out: there is nothing at $.data.recipients"],
    [
      `{"recipients":["a","${"x".repeat(FANOUT_ELEMENT_BYTES_MAX)}"]}`,
      `not fanned out: element 1 has more than ${FANOUT_ELEMENT_BYTES_MAX} bytes`,
    ],
  ])("that cannot be sent whole is a dead letter with the reason: %.40s", async (body, reason) => {
    await mailing.send(body);
    await mailing.consume();
    expect(listRow(mailing)).toMatchObject({ state: "dead", lastError: reason, attempts: 1 });
    expect(mailing.received()).toEqual([]);
    expect(mailing.fanOut()).toBeUndefined();
  });

  it("is a dead letter where its rule asks for no list any more, and goes out when it does again", async () => {
    const { world } = mailing;
    await mailing.send(listOf(2));
    const common = { sources: { lists: {} }, targets: { mail: {} } };
    world.tenants.put("acme", { ...common, rules: { blast: { targets: ["mail"] } } });
    await mailing.consume();
    const dead = listRow(mailing);
    expect(dead).toMatchObject({ state: "dead", lastError: expect.stringContaining("no list") });
    const forEach = "$.data.recipients";
    world.tenants.put("acme", { ...common, rules: { blast: { targets: ["mail"], forEach } } });
    world.ledger.redrive(`${dead?.event} ${dead?.subscription}`);
    await world.clock.advance(60_000);
    await world.clock.run(sweep("overdue", mailing.isolate.deliver));
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(2));
  });

  it("is begun again when the store of fan-outs fails, or its object does", async () => {
    await mailing.send(listOf(2));
    await mailing.consume({ fanOuts: { ...mailing.world.fanOuts, create: down } });
    expect(listRow(mailing)).toBeUndefined();
    await mailing.world.clock.advance(60_000);
    await mailing.consume({ fanOuts: { ...mailing.world.fanOuts, wake: down } });
    expect(listRow(mailing)).toMatchObject({ state: "delivered" });
    await mailing.world.clock.advance(FANOUT_OVERDUE_MS + 1);
    await mailing.world.clock.run(sweep("overdue", mailing.isolate.deliver));
    expect(mailing.world.fanOuts.woken).toHaveLength(1);
  });

  it("is not begun before its bytes rest in the archive", async () => {
    await mailing.send(listOf(2));
    await mailing.consume({ archive: { ...mailing.world.archive, put: down } });
    expect([listRow(mailing), mailing.fanOut()]).toEqual([undefined, undefined]);
    await mailing.world.clock.advance(100_000);
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(2));
  });
});

type Call = (name: string, work: () => Promise<unknown>) => Promise<unknown>;

/** The ports of a page, every call of them through `call`. */
function portsThrough({ ports }: Mailing, call: Call): FanOutPorts {
  const through = <Port extends object>(name: string, port: Port): Port =>
    new Proxy(port, {
      get(target, member) {
        const value: unknown = Reflect.get(target, member);
        if (typeof value !== "function") return value;
        return (...asked: unknown[]) =>
          call(`${name}.${String(member)}`, async () => value.apply(target, asked));
      },
    });
  return {
    ...ports,
    archive: through("archive", ports.archive),
    commits: {
      critical: through("critical", ports.commits.critical),
      normal: through("normal", ports.commits.normal),
      bulk: through("bulk", ports.commits.bulk),
    },
    fanOuts: through("fanOuts", ports.fanOuts),
  };
}

describe("a page", () => {
  it("misses nothing and makes nothing twice, whichever call its process dies before or after", async () => {
    let deaths = 0;
    for (const when of ["before", "after"]) {
      for (let fatal = 0; ; fatal += 1) {
        mailing = createMailing({ forEach: { path: "$.data.recipients", perSecond: 3 } });
        await mailing.send(listOf(8));
        await mailing.consume();
        let calls = 0;
        let isDead = false;
        const dying = portsThrough(mailing, async (_, work) => {
          if (isDead) throw new Error("dead");
          isDead = calls === fatal;
          calls += 1;
          if (isDead && when === "before") throw new Error("dead");
          const answer = await work();
          if (isDead) throw new Error("dead");
          return answer;
        });
        for (let pages = 0; pages < 3 && !isDead; pages += 1) await mailing.page(dying);
        if (!isDead) break;
        deaths += 1;
        await mailing.finish();
        expect(mailing.received().sort(), `${when} call ${fatal}`).toEqual(bodies(8));
        expect(mailing.fanOut()).toMatchObject({ state: "done", sent: 8 });
        expect(mailing.world.ledger.duplicates.size).toBe(0);
      }
    }
    expect(deaths).toBeGreaterThan(30);
  });

  it("that two send at once is the same events, and is written down once", async () => {
    await mailing.send(listOf(5));
    await mailing.consume();
    await Promise.all([mailing.page(), mailing.page()]);
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(5));
    expect(mailing.fanOut()).toMatchObject({ sent: 5, rev: 1 });
  });

  it("waits while so many elements are in a queue, and goes on when they are worked on", async () => {
    const count = FANOUT_AHEAD_MAX + 2 * FANOUT_PAGE;
    await mailing.send(listOf(count));
    await mailing.consume();
    for (let sent = 0; sent < FANOUT_AHEAD_MAX; sent += FANOUT_PAGE) {
      expect(await mailing.page()).toBe(0);
    }
    expect(await mailing.page()).toBe(FANOUT_WAIT_MS);
    expect(mailing.fanOut()?.sent).toBe(FANOUT_AHEAD_MAX);
    await mailing.world.clock.advance(60_000);
    expect(await mailing.page()).toBe(6_000);
    await mailing.world.clock.advance(86_400_000);
    expect(await mailing.page()).toBe(FANOUT_WAIT_MS_MAX);
    await mailing.finish();
    expect(mailing.received()).toHaveLength(count);
  });

  it("keeps the pace of its rule, and a new one from the next page on", async () => {
    mailing = createMailing({ forEach: { path: "$.data.recipients", perSecond: 2 } });
    await mailing.send(listOf(9));
    await mailing.consume();
    expect(await mailing.page()).toBe(1_000);
    expect(mailing.fanOut()?.sent).toBe(2);
    const { tenant = "", id = "" } = mailing.fanOut() ?? {};
    await mailing.world.fanOuts.cap({ tenant, id }, 5);
    expect(await mailing.page()).toBe(1_000);
    expect(mailing.fanOut()?.sent).toBe(7);
    await mailing.world.fanOuts.cap({ tenant, id }, null);
    expect(await mailing.page()).toBeNull();
  });

  it("goes by the queue of its rule's priority", async () => {
    mailing = createMailing({ priority: "critical" });
    await mailing.send(listOf(1));
    await mailing.consume();
    await mailing.page();
    expect(mailing.world.queues.kept.critical.size).toBe(1);
    expect(mailing.world.queues.kept.bulk.size).toBe(0);
  });

  it("is not sent while the fan-out is paused, and all are when it goes on", async () => {
    mailing = createMailing({ forEach: { path: "$.data.recipients", perSecond: 2 } });
    await mailing.send(listOf(6));
    await mailing.consume();
    await mailing.page();
    const { fanOuts } = mailing.world;
    const { tenant = "", id = "" } = mailing.fanOut() ?? {};
    await fanOuts.move({ tenant, id }, ["running"], "paused", null);
    expect(await mailing.page()).toBeNull();
    expect(mailing.fanOut()?.sent).toBe(2);
    await fanOuts.move({ tenant, id }, ["paused"], "running", null);
    await mailing.finish();
    expect(mailing.received().sort()).toEqual(bodies(6));
  });

  it("that fails is told, and begun again after a pause", async () => {
    await mailing.send(listOf(2));
    await mailing.consume();
    const archive = { ...mailing.ports.archive, stream: down };
    expect(await mailing.page({ ...mailing.ports, archive })).toBe(FANOUT_RETRY_MS);
    expect(mailing.world.log.lines).toContainEqual(
      expect.objectContaining({ event: "fan-out-page-failed" }),
    );
    await mailing.finish();
    expect(mailing.received()).toHaveLength(2);
  });

  it("is not sent by a fan-out that is older than what the ledger keeps: it fails and says so", async () => {
    await mailing.send(listOf(2));
    await mailing.consume();
    await mailing.world.clock.advance(FANOUT_AGE_MS_MAX + 1);
    expect(await mailing.page()).toBeNull();
    expect(mailing.fanOut()).toMatchObject({ state: "failed", reason: expect.any(String) });
  });
});
