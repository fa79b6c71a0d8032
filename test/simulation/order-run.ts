/** One seed: consumers that die, stores that fail, a receiver in trouble, an operator; and deliveries in order. */
import { platformText } from "../../src/adapters/crypto.ts";
import { compileOrder, type OrderDoc } from "../../src/core/order/order.ts";
import { QUEUES } from "../../src/core/priority.ts";
import type { Target } from "../../src/core/tenant.ts";
import { deliverBatch, type QueueRole } from "../../src/flows/deliver-batch.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { frameOf, packOf, recordOf } from "../support/memory-records.ts";
import { createWorld, type World } from "../support/memory-router.ts";
import { response } from "../support/memory-transport.ts";
import { type Chance, createChance } from "./chance.ts";
import { beginLife, type OrderLife } from "./order-life.ts";
import { createOrderWatch, type OrderedEvent, type OrderWatch } from "./order-watch.ts";

const STORM_MS = 420_000;
/** Messages of the dead come again after 15 minutes, leases end before, and the sweeper looks once a minute. */
const CALM_MS = 5_400_000;
const CONSUMERS = 2;
const CONSUMER_IDLE_MS = 400;
const GATE = { perSecond: null, perDay: null, isAdaptive: false, isSet: true };

export interface OrderOutcome {
  readonly mode: OrderDoc["mode"];
  readonly attempts: number;
  readonly deaths: number;
  readonly waits: number;
  readonly cancelled: number;
  readonly violation: string | null;
}

export async function runOrder(seed: number): Promise<OrderOutcome> {
  const chance = createChance(seed);
  const world = createWorld();
  const startMs = world.clock.nowMs();
  const isStormy = (): boolean => world.clock.nowMs() < startMs + STORM_MS;
  const order = orderOf(chance);
  /** Where the order itself changes half way, nothing is promised but that all goes out. */
  const isSteady = !chance.happens(0.1);
  const events = eventsOf(chance, startMs);
  const watch = createOrderWatch(world, order.mode, order.by !== undefined, isSteady, events);
  const sketch: Partial<Target> = {
    order: compileOrder(order),
    retry: { delaysSeconds: [1, 5, 30].slice(0, chance.between(0, 3)) },
    timeoutMs: 5_000,
    ...(chance.happens(0.4) ? { gate: { ...GATE, concurrency: chance.pick([1, 2, 5]) } } : {}),
  };
  const put = (more: Partial<Target> = {}): void =>
    void world.tenants.put("acme", { targets: { crm: { ...sketch, ...more } } });
  put();
  receive(world, chance, watch, events, isStormy);
  let deaths = 0;
  let isOver = false;
  const failing = chance.pick([0, 0.01, 0.05]);
  const storm = () => ({ failing: isStormy() ? failing : 0 });
  const begin = (): OrderLife => beginLife(world, chance, watch, storm);

  async function consume(): Promise<void> {
    while (!isOver) {
      const life = begin();
      const ttlMs = chance.between(1_000, 60_000);
      void world.clock.timer(ttlMs).elapsed.then(() => {
        if (!isStormy()) return;
        deaths += 1;
        life.die();
      });
      while (!life.isDead && !isOver) {
        const role = chance.pick<QueueRole>([...QUEUES, "normal", "normal", "dead"]);
        const messages = world.queues.take(role, chance.between(1, 8)).map((message) => ({
          ...message,
          ack: () => life.isDead || message.ack(),
          retry: (seconds: number) => life.isDead || message.retry(seconds),
        }));
        if (messages.length === 0) await world.clock.timer(CONSUMER_IDLE_MS).elapsed;
        else await Promise.race([deliverBatch(role, messages, life.ports), life.died]);
      }
    }
  }

  async function operate(): Promise<void> {
    while (isStormy()) {
      await world.clock.timer(chance.between(5_000, 90_000)).elapsed;
      const dead = [...world.ledger.deliveries].filter(([, { state }]) => state === "dead");
      if (dead.length > 0 && chance.happens(0.5)) {
        const [key, { event }] = chance.pick(dead);
        world.ledger.redrive(key);
        for (const each of events) if (each.id === event) watch.redriven(each);
      }
      if (chance.happens(0.2)) put({ closed: "paused" });
      else if (!isSteady && chance.happens(0.5)) put({ order: compileOrder(orderOf(chance)) });
      else await open(put, world);
    }
    await open(isSteady ? put : () => put(chance.pick([{}, { order: compileOrder(FIFO) }])), world);
  }

  async function sweepNow(): Promise<void> {
    while (!isOver) {
      await world.clock.timer(60_000).elapsed;
      const life = begin();
      const ended = sweep("overdue", life.ports);
      const ttlMs = isStormy() ? chance.between(50, 5_000) : 600_000;
      await Promise.race([ended, world.clock.timer(ttlMs).elapsed]);
      life.die();
    }
  }

  arrive(world, chance, events);
  const parts = { "an operator": operate, "the sweeper": sweepNow };
  const consumers = Array.from({ length: CONSUMERS }, () => ["a consumer", consume] as const);
  // Who dies settles nothing any more, so that none of them may reject.
  for (const [what, part] of [...Object.entries(parts), ...consumers])
    part().catch((error: unknown) => watch.rejected(what, error));
  await world.clock.advance(STORM_MS);
  for (let minutes = 0; minutes < CALM_MS / 600_000 && watch.violation === null; minutes += 1) {
    await world.clock.advance(600_000);
    if (isQuiet(world, events)) break;
  }
  isOver = true;
  watch.last();
  const rows = [...world.ledger.deliveries.values()];
  return {
    mode: order.mode,
    attempts: watch.attempts,
    deaths,
    waits: watch.waits,
    cancelled: rows.filter(({ state }) => state === "cancelled").length,
    violation: watch.violation,
  };
}

const FIFO: OrderDoc = { key: "$.data.key", mode: "fifo" };

function orderOf(chance: Chance): OrderDoc {
  const mode = chance.pick(["fifo", "latest-wins", "drop-older"] as const);
  const isBy = mode !== "fifo" && chance.happens(0.5);
  return { ...FIFO, mode, ...(isBy ? { by: "$.data.version" } : {}) };
}

function eventsOf(chance: Chance, startMs: number): OrderedEvent[] {
  const keys = ["a", "b", "c"].slice(0, chance.between(1, 3));
  let receivedAtMs = startMs - 1_000;
  return Array.from({ length: chance.between(4, 24) }, (_, number) => {
    receivedAtMs += chance.pick([0, 1, 300, 5_000, 20_000]);
    const version = number + chance.between(-2, 2);
    const { id } = recordOf({ key: `${number}` });
    return { id, number, key: chance.pick(keys), version, receivedAtMs };
  });
}

/** Each in a message that comes soon, or much later. */
function arrive(world: World, chance: Chance, events: readonly OrderedEvent[]): void {
  for (const { number, key, version, receivedAtMs } of events) {
    const priority = chance.pick(["normal", "normal", "bulk"] as const);
    const to = [{ rule: "orders", target: "crm", priority }];
    const sketch = { key: `${number}`, receivedAtMs, to, priority: "normal" as const };
    const body = JSON.stringify({ number, key, version });
    const laterMs = chance.pick([0, 10, 500, 5_000, 90_000]);
    const inMs = Math.max(0, receivedAtMs - world.clock.nowMs()) + laterMs;
    const pack = packOf({ content: frameOf(sketch, body) });
    void world.clock.timer(inMs).elapsed.then(() => world.queues.send("normal", [pack]));
  }
}

function receive(
  world: World,
  chance: Chance,
  watch: OrderWatch,
  events: readonly OrderedEvent[],
  isStormy: () => boolean,
): void {
  world.transport.answer = async ({ body }) => {
    const { number } = JSON.parse(platformText.decode(body as Uint8Array) ?? "{}");
    const event = events.find((each) => each.number === number);
    if (event === undefined) throw new Error("nobody sent that");
    watch.begins(event);
    const isQuick = !isStormy() || chance.happens(0.7);
    await world.clock.timer(isQuick ? chance.between(1, 200) : chance.between(500, 4_900)).elapsed;
    const status = isStormy() ? chance.pick([200, 200, 200, 500, 503]) : 200;
    watch.ends(event, status === 200);
    return response(status);
  };
}

async function open(put: () => void, world: World): Promise<void> {
  put();
  await world.ledger.release("acme", "crm");
}

const isQuiet = ({ ledger, queues }: World, events: readonly OrderedEvent[]): boolean =>
  QUEUES.every((queue) => queues.kept[queue].size === 0) &&
  ledger.deliveries.size === events.length &&
  [...ledger.deliveries.values()].every(({ state }) =>
    ["delivered", "dead", "cancelled"].includes(state),
  );
