/** A pass of the sweeper in which reads or a queue fail: the rest goes out, and nothing is lost. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  CONNECTIONS_MAX,
  PACK_BYTES_MAX,
  SWEEP_PAGE,
  SWEEP_READS_FAILED_MAX,
} from "../../src/core/limits.ts";
import { QUEUES, type QueueName } from "../../src/core/priority.ts";
import type { SagaDoc } from "../../src/core/saga/definition.ts";
import { SAGA_SWEEP_PAGE } from "../../src/core/saga/limits.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { type Swept, sweep } from "../../src/flows/sweep.ts";
import { keyOf } from "../../src/ports/claim.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { consume, down, messageWith, rowOf } from "./consumer.ts";

let world: World;

beforeEach(() => {
  world = createWorld();
  world.tenants.put("acme", { targets: { pager: {} } });
});

function sweeping(broken: Partial<DeliverPorts> = {}): Promise<Swept> {
  return world.clock.run(sweep("overdue", createIsolate(world, { broken }).deliver));
}

/** Events of one segment whose deliveries failed once, and whose messages are lost. */
async function owe(
  keys: readonly string[],
  queue: QueueName = "normal",
  body = "{}",
): Promise<void> {
  world.transport.answer = () => response(500);
  const priority = queue === "replay" ? "bulk" : queue;
  const to = [{ rule: "orders", target: "pager", priority }];
  await consume(
    world,
    queue,
    keys.map((key) => messageWith({ key, to }, body)),
  );
  for (const each of QUEUES) world.queues.kept[each].clear();
}

/** The archive, of which the objects that are there now cannot be read; `asked` counts how often they were. */
function archiveWithout(frame: DeliverPorts["archive"]["frame"]) {
  const broken = new Set(world.archive.objects.keys());
  const reads = { asked: 0 };
  const archive: DeliverPorts["archive"] = {
    ...world.archive,
    frame(pointer) {
      if (!broken.has(pointer.segment)) return world.archive.frame(pointer);
      reads.asked += 1;
      return frame(pointer);
    },
  };
  return { archive, reads };
}

const many = (count: number) => Array.from({ length: count }, (_, at) => `broken-${at}`);

describe("an overdue delivery whose bytes cannot be read", () => {
  it.each([
    ["fails", down],
    ["does not end", () => new Promise<never>(() => {})],
  ])(
    "because the read %s holds up no other, is not lost, and goes with a later pass",
    async (_, frame) => {
      await owe(["broken"]);
      const { archive } = archiveWithout(frame);
      for (const key of ["key-1", "key-2"]) await owe([key]);
      await world.clock.advance(60_000);
      expect(await sweeping({ archive })).toMatchObject({
        ...{ revived: 2, unreadable: 0, complete: false },
      });
      expect(world.log.of("archive-unreachable")).toHaveLength(1);
      expect(rowOf(world, { key: "broken" }, "pager")).toMatchObject({ state: "retrying" });
      await world.clock.advance(60_000);
      expect(await sweeping()).toMatchObject({ revived: 1, complete: true });
    },
  );

  it("leaves the head of the page: however many there are, those behind have their turn", async () => {
    await owe(many(SWEEP_READS_FAILED_MAX + CONNECTIONS_MAX + 1));
    const { archive, reads } = archiveWithout(down);
    await world.clock.advance(5_000);
    await owe(["key-1"]);
    await world.clock.advance(60_000);
    expect(await sweeping({ archive })).toMatchObject({ revived: 0, complete: false });
    expect(reads.asked).toBeLessThan(SWEEP_READS_FAILED_MAX + CONNECTIONS_MAX);
    await world.clock.advance(60_000);
    expect(await sweeping({ archive })).toMatchObject({ revived: 1, complete: false });
  });
});

describe("an instance of a saga that is overdue", () => {
  it("is woken in the end, however many that never began are overdue for longer", async () => {
    const nowMs = world.clock.nowMs();
    const named = { tenant: "acme", saga: "order", version: 1, key: "k", correlationId: null };
    for (let at = 0; at < 2 * SAGA_SWEEP_PAGE; at += 1) {
      await world.sagas.index.begin({
        ...{ ...named, id: `sga_${at}`, status: "STARTING", paused: false, step: null },
        ...{ reason: null, rev: 0, dueAtMs: nowMs, startedAtMs: nowMs, updatedAtMs: nowMs },
      });
    }
    const doc: SagaDoc = { steps: [{ name: "pause", delay: { seconds: 1 } }] };
    await world.sagas.start({ ...named, id: "sga_real", doc, input: null, startedAtMs: nowMs });
    await idle();
    world.sagas.evict();
    Object.assign(world.sagas.journals.get("sga_real") ?? {}, { alarmAtMs: null });
    const woken: number[] = [];
    for (let pass = 0; pass < 4; pass += 1) {
      await world.clock.advance(60_000);
      woken.push((await sweeping()).sagas);
    }
    expect(woken.reduce((sum, each) => sum + each)).toBe(1);
    await idle();
    expect(world.sagas.summary("sga_real")).toMatchObject({ status: "COMPLETED" });
  });
});

describe("an event of half a message that is owed to many", () => {
  it("goes in several messages, each within its bound", async () => {
    await owe(["wide"], "normal", "x".repeat(PACK_BYTES_MAX / 2 - 1_000));
    const [row] = world.ledger.deliveries.values();
    if (row === undefined) throw new Error("nothing is owed");
    for (let at = 1; at < SWEEP_PAGE; at += 1) {
      const target = `target-${at}`.padEnd(63, "x");
      const copy = { ...row, subscription: `s${at}`, rule: "r".repeat(63), target, attempts: 100 };
      world.ledger.deliveries.set(keyOf(copy), copy);
    }
    await world.clock.advance(60_000);
    expect(await sweeping()).toMatchObject({ revived: SWEEP_PAGE, complete: true });
    const sizes = [...world.queues.kept.normal.values()].map(({ body }) => body.length);
    expect(sizes).toHaveLength(2);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(PACK_BYTES_MAX);
  });
});

describe("a queue that refuses what is overdue", () => {
  it("is asked once in a pass, and holds up none of the other queues", async () => {
    await owe(["bulk"], "bulk");
    const [row] = world.ledger.deliveries.values();
    if (row === undefined) throw new Error("nothing is owed");
    for (let at = 1; at <= SWEEP_PAGE; at += 1) {
      const copy = { ...row, subscription: `s${at}` };
      world.ledger.deliveries.set(keyOf(copy), copy);
    }
    await world.clock.advance(5_000);
    await owe(["urgent"], "critical");
    await world.clock.advance(60_000);
    const asked: QueueName[] = [];
    const send: DeliverPorts["queues"]["send"] = async (queue, packs, delaySeconds) => {
      asked.push(queue);
      await (queue === "bulk" ? down() : world.queues.send(queue, packs, delaySeconds));
    };
    const queues = { ...world.queues, send };
    expect(await sweeping({ queues })).toMatchObject({ revived: 1, complete: false });
    expect(asked).toEqual(["bulk", "critical"]);
    await world.clock.advance(60_000);
    expect(await sweeping()).toMatchObject({ revived: SWEEP_PAGE + 1, complete: true });
  });
});
