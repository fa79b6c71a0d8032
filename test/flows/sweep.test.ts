/** The sweeper: what is owed and carried by no message goes out again, in bounded passes. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import { decodePack, isParcel } from "../../src/core/enqueue/pack.ts";
import {
  PACK_BYTES_MAX,
  QUEUE_DELAY_SECONDS_MAX,
  SWEEP_GRACE_MS,
  SWEEP_PAGE,
  SWEEP_PAGES_MAX,
} from "../../src/core/limits.ts";
import { PRIORITIES, type Priority } from "../../src/core/priority.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { recoverAll, type SweepScope, type Swept, sweep } from "../../src/flows/sweep.ts";
import type { DueDelivery } from "../../src/ports/ledger.ts";
import { boundTo, frameOf, packOf } from "../support/memory-records.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, dyingClock, messageOf, messageWith, rowOf, statesOf } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {}, mail: {} } });
});

function sweeping(scope: SweepScope, broken: Partial<DeliverPorts> = {}): Promise<Swept> {
  return world.clock.run(sweep(scope, createIsolate(world, { broken }).deliver));
}

/** An event whose delivery to the pager failed once, and whose message is lost. */
async function owe(key = "key-1", body = "{}"): Promise<void> {
  world.transport.answer = () => response(500);
  await consume(world, "normal", [messageWith({ key, to: ["pager"] }, body)]);
  for (const priority of PRIORITIES) world.queues.kept[priority].clear();
  world.transport.answer = () => response(200);
}

/** Deliveries that messages of a queue carry, and the seconds until they arrive. */
function carriedBy(priority: Priority) {
  return [...world.queues.kept[priority].values()].flatMap(({ body, visibleAtMs }) => {
    const decoded = decodePack(body, platformText);
    if (!decoded.ok) throw new Error(decoded.reason);
    const inSeconds = (visibleAtMs - world.clock.nowMs()) / 1_000;
    return decoded.pack.items.map(({ content, again }) => ({ content, again, inSeconds }));
  });
}

/** `count` deliveries that the ledger says are due, page by page until they are put off. */
function ledgerOwing(count: number, delivery: Partial<DueDelivery> = {}) {
  const pages: number[] = [];
  const putOff: number[] = [];
  let left = count;
  const due: DeliverPorts["ledger"]["due"] = async (_, wanted) => {
    pages.push(wanted);
    return Array.from({ length: Math.min(wanted, left) }, (_, at) => ({
      ...{ tenant: "acme", receivedAtMs: 0, event: `evt_${left - at}`, subscription: "s" },
      ...{ rule: "orders", target: "pager", priority: "normal", attempts: 1, dueInMs: -60_000 },
      replay: null,
      pointer: {
        segment: "segment",
        offset: 0,
        length: world.archive.objects.get("segment")?.length ?? 0,
      },
      ...delivery,
    }));
  };
  const ledger = {
    ...world.ledger,
    due,
    putOff: async (keys: readonly object[], byMs: number) => {
      left -= keys.length;
      putOff.push(byMs);
    },
  };
  world.archive.objects.set("segment", frameOf({ to: ["pager"] }).bytes);
  return { ledger, pages, putOff };
}

describe("an overdue delivery", () => {
  it("is sent again, and delivered by whoever takes it", async () => {
    await owe();
    await world.clock.advance(6_000 + SWEEP_GRACE_MS);
    expect(await sweeping("overdue")).toMatchObject({ revived: 1, unreadable: 0, complete: true });
    expect(carriedBy("normal")).toMatchObject([
      { again: [{ rule: "orders", target: "pager", attempts: 1 }], inSeconds: 0 },
    ]);
    const [message] = world.queues.take("normal", 1);
    await consume(world, "normal", [messageOf(message?.body ?? new Uint8Array())]);
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it("is left to its message until the queue had its time", async () => {
    await owe();
    await world.clock.advance(5_000 + SWEEP_GRACE_MS - 1);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0, unreadable: 0, complete: true });
  });

  it("is put off, so that the next pass leaves it alone", async () => {
    await owe();
    await world.clock.advance(60_000);
    await sweeping("overdue");
    expect(await sweeping("overdue")).toMatchObject({ revived: 0 });
    await world.clock.advance(60_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0 });
    await world.clock.advance(120_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 1 });
  });

  it("whose consumer died while it delivered is sent again after its lease", async () => {
    await owe();
    const again = [{ rule: "orders", target: "pager", attempts: 1 }];
    await world.clock.advance(6_000);
    const dies = consume(
      world,
      "normal",
      [messageOf(packOf({ content: frameOf({ to: ["pager"] }), again }))],
      { transport: { send: () => new Promise(() => {}) } },
    );
    await expect(dies).rejects.toThrow("waits for something");
    expect(statesOf(world)).toEqual({ pager: "delivering" });
    await world.clock.advance(90_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0 });
    await world.clock.advance(SWEEP_GRACE_MS + 1_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 1 });
  });

  it("that is final, parked or not due yet is not touched", async () => {
    world.tenants.put("acme", { targets: { pager: { closed: "paused" }, mail: {} } });
    world.transport.answer = () => response(503, 7_200_000);
    await consume(world, "normal", [
      messageWith({ key: "a", to: ["pager"] }),
      messageWith({ key: "b", to: ["mail"] }),
      messageWith({ key: "c", to: ["deleted"] }),
      messageWith({ key: "d" }),
    ]);
    await world.clock.advance(3_600_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0, unreadable: 0, complete: true });
  });
});

describe("a pass", () => {
  it("sends the most urgent first", async () => {
    const order: string[] = [];
    const { ledger } = ledgerOwing(3);
    const priorities: Priority[] = ["bulk", "critical", "normal"];
    const due: typeof ledger.due = async (horizonMs, count) =>
      (await ledger.due(horizonMs, count)).map((delivery, at) => ({
        ...delivery,
        priority: priorities[at] ?? "bulk",
      }));
    const queues = { ...world.queues, send: async (to: Priority) => void order.push(to) };
    await sweeping("overdue", { ledger: { ...ledger, due }, queues });
    expect(order).toEqual(["critical", "normal", "bulk"]);
  });

  it("goes page by page until nothing is due", async () => {
    const { ledger, pages } = ledgerOwing(2 * SWEEP_PAGE + 1);
    expect(await sweeping("overdue", { ledger })).toMatchObject({
      revived: 2 * SWEEP_PAGE + 1,
      unreadable: 0,
      complete: true,
    });
    expect(pages).toEqual([SWEEP_PAGE, SWEEP_PAGE, SWEEP_PAGE]);
  });

  it("ends after its last page, and says that more is left", async () => {
    const { ledger, pages } = ledgerOwing(1_000_000);
    expect(await sweeping("overdue", { ledger })).toMatchObject({
      revived: SWEEP_PAGE * SWEEP_PAGES_MAX,
      complete: false,
    });
    expect(pages).toHaveLength(SWEEP_PAGES_MAX);
  });

  it("packs what goes out at one moment", async () => {
    const { ledger } = ledgerOwing(SWEEP_PAGE);
    await sweeping("overdue", { ledger });
    const messages = [...world.queues.kept.normal.values()];
    expect(messages.length).toBeLessThan(SWEEP_PAGE / 20);
    for (const { body } of messages) expect(body.length).toBeLessThanOrEqual(PACK_BYTES_MAX);
  });

  it("sends the place of a frame that is too big for a message, not its bytes", async () => {
    await owe("key-1", "x".repeat(40_000));
    await world.clock.advance(60_000);
    await sweeping("overdue");
    const [{ content } = {}] = carriedBy("normal");
    expect(content && isParcel(content) && content.pointer.length).toBeGreaterThan(40_000);
    const [message] = world.queues.take("normal", 1);
    await consume(world, "normal", [messageOf(message?.body ?? new Uint8Array())]);
    expect(rowOf(world, {}, "pager")?.state).toBe("delivered");
  });

  it("writes no line when there was nothing to do", async () => {
    await sweeping("overdue");
    expect(world.log.lines).toEqual([]);
  });
});

describe("a delivery whose bytes are gone", () => {
  it("is reported and put off, and holds up nobody", async () => {
    await owe("lost");
    world.archive.objects.clear();
    await owe("key-1");
    await world.clock.advance(60_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 1, unreadable: 1, complete: true });
    expect(world.log.of("archive-missing")).toHaveLength(1);
    expect(await sweeping("overdue")).toMatchObject({ unreadable: 0 });
  });

  it("is a dead letter also when it was too big for a message", async () => {
    await owe("key-1", "x".repeat(40_000));
    world.archive.objects.clear();
    await world.clock.advance(60_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0, unreadable: 1 });
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "dead" });
    expect(world.archive.poison.size).toBe(0);
  });

  it("is not taken for gone while the archive does not answer", async () => {
    await owe();
    await world.clock.advance(60_000);
    const archive = { ...world.archive, frame: down };
    expect(await sweeping("overdue", { archive })).toMatchObject({
      unreadable: 0,
      complete: false,
    });
    expect(rowOf(world, {}, "pager")).toMatchObject({ state: "retrying" });
  });

  it("is not confused with one that the queue did not take", async () => {
    await owe();
    await world.clock.advance(60_000);
    const queues = { ...world.queues, send: down };
    expect(await sweeping("overdue", { queues })).toMatchObject({
      revived: 0,
      unreadable: 0,
      complete: false,
    });
    // It was put off by so little that the next pass sends it.
    await world.clock.advance(60_000);
    expect(await sweeping("overdue")).toMatchObject({ revived: 1 });
  });
});

describe("a pass that fails", () => {
  it.each<[string, (world: World) => Partial<DeliverPorts>]>([
    ["to read what is due", ({ ledger }) => ({ ledger: { ...ledger, due: down } })],
    ["to put off", ({ ledger }) => ({ ledger: { ...ledger, putOff: down } })],
  ])("%s never throws, and says that it is not complete", async (_, broken) => {
    await owe();
    await world.clock.advance(60_000);
    expect(await sweeping("overdue", broken(world))).toMatchObject({ complete: false });
    expect(world.log.of("sweep-failed")).toMatchObject([{ scope: "overdue" }]);
    expect(rowOf(world, {}, "pager")?.state).toBe("retrying");
  });
});

describe("the outbox", () => {
  const keep = async () => {
    world.queues.refuses = true;
    const pack = packOf({ content: frameOf({ to: [boundTo("pager", "normal")] }) });
    await world.outbox.put(0, "normal", [pack]);
    await world.clock.advance(0);
    world.queues.refuses = false;
  };

  it("is woken by each pass, so that a lost alarm loses no pack", async () => {
    await keep();
    await world.clock.advance(5_000);
    expect(carriedBy("normal")).toEqual([]);
    expect(await sweeping("overdue")).toMatchObject({ relayed: 1, complete: true });
    expect(carriedBy("normal")).toHaveLength(1);
    expect(await sweeping("overdue")).toMatchObject({ relayed: 0 });
  });

  it("that cannot be reached holds up no delivery", async () => {
    await owe();
    await world.clock.advance(60_000);
    const outbox = { ...world.outbox, wake: down };
    expect(await sweeping("overdue", { outbox })).toMatchObject({ revived: 1, complete: false });
    expect(world.log.of("sweep-failed")).toMatchObject([{ part: "outbox" }]);
  });

  it("that hangs is given up by a pass, and by a recovery, and they do the rest", async () => {
    await owe();
    await world.clock.advance(60_000);
    const hangs = () => new Promise<never>(() => {});
    const outbox = { ...world.outbox, wake: hangs, recover: hangs };
    expect(await sweeping("overdue", { outbox })).toMatchObject({ revived: 1, complete: false });
    world.queues.kept.normal.clear();
    await world.clock.advance(3_600_000);
    const { deliver } = createIsolate(world, { broken: { outbox } });
    await expect(world.clock.run(recoverAll(deliver))).rejects.toThrow("did not answer in time");
    expect(carriedBy("normal")).toHaveLength(1);
  });
});

describe("a target that was opened by a process that ended before it released anything", () => {
  const parkOne = async () => {
    world.tenants.put("acme", { targets: { pager: { closed: "paused" } } });
    await consume(world, "normal", [messageWith({ to: ["pager"] })]);
    expect(statesOf(world)).toEqual({ pager: "parked" });
  };

  it("gets what was parked for it from the next pass", async () => {
    await parkOne();
    expect(await sweeping("overdue")).toMatchObject({ released: 0 });
    world.tenants.put("acme", { targets: { pager: {} } });
    expect(await sweeping("overdue")).toMatchObject({ released: 1, revived: 1 });
    const [message] = world.queues.take("normal", 1);
    await consume(world, "normal", [messageOf(message?.body ?? new Uint8Array())]);
    expect(statesOf(world)).toEqual({ pager: "delivered" });
  });

  it("or deleted, leaves nothing parked for ever", async () => {
    await parkOne();
    world.tenants.put("acme", {});
    expect(await sweeping("overdue")).toMatchObject({ released: 1, revived: 0 });
    expect(rowOf(world, {}, "pager")).toMatchObject({
      state: "cancelled",
      lastError: "target deleted",
    });
  });
});

describe("after everything under way was lost", () => {
  it("what is owed soon goes out at its own time, what is owed later stays in the ledger", async () => {
    await owe("soon");
    world.transport.answer = () => response(503, 1_000 * (QUEUE_DELAY_SECONDS_MAX + 60));
    await consume(world, "normal", [messageWith({ key: "later", to: ["pager"] })]);
    await world.clock.run(recoverAll(createIsolate(world).deliver));
    const carried = carriedBy("normal");
    expect(carried).toHaveLength(1);
    expect(carried[0]?.inSeconds).toBeGreaterThanOrEqual(5);
    expect(carried[0]?.inSeconds).toBeLessThanOrEqual(6);
  });

  it("and lost once more, the same goes out again at its own time", async () => {
    await owe("soon");
    for (let kills = 1; kills <= 3; kills += 1) {
      await world.clock.run(recoverAll(createIsolate(world).deliver));
      const carried = carriedBy("normal");
      expect(carried).toHaveLength(1);
      expect(carried[0]?.inSeconds).toBeLessThanOrEqual(6);
      world.queues.kept.normal.clear();
    }
  });

  it("what was overdue goes out at once, and is left to its message until the queue had its time", async () => {
    await owe();
    await world.clock.advance(3_600_000);
    await world.clock.run(recoverAll(createIsolate(world).deliver));
    expect(carriedBy("normal")).toMatchObject([{ inSeconds: 0 }]);
    await world.clock.advance(SWEEP_GRACE_MS - 1);
    expect(await sweeping("overdue")).toMatchObject({ revived: 0 });
  });

  it("leases end, and the outbox sends what it keeps", async () => {
    const { deliver } = createIsolate(world);
    await deliver.outbox.put(0, "bulk", [
      packOf({ content: frameOf({ to: [boundTo("pager", "bulk")] }) }),
    ]);
    const [lost] = world.queues.take("bulk", 1);
    const dies = consume(world, "bulk", [messageOf(lost?.body ?? new Uint8Array())], {
      clock: dyingClock(world),
      transport: { send: () => new Promise(() => {}) },
    });
    await expect(dies).rejects.toThrow("waits for something");
    world.queues.kept.bulk.clear();
    await world.clock.run(recoverAll(deliver));
    const [message] = world.queues.take("bulk", 1);
    expect(await consume(world, "bulk", [messageOf(message?.body ?? new Uint8Array())])).toEqual([
      "ack",
    ]);
    expect(world.outbox.rows.size).toBe(0);
  });
});

describe("a delivery whose bytes are gone", () => {
  it("becomes a dead letter that says so, instead of being looked for for ever", async () => {
    const { ledger } = ledgerOwing(1);
    world.archive.objects.delete("segment");
    const buried: string[] = [];
    const bury = async (keys: readonly { event: string }[], reason: string) =>
      void buried.push(...keys.map(({ event }) => `${event}: ${reason}`));
    await sweeping("overdue", { ledger: { ...ledger, bury } });
    expect(buried).toEqual(["evt_1: the event's bytes are not in the archive"]);
  });
});
