/** One target with a gate, the batches that come to it, and what becomes of them. */
import { QUEUES } from "../../src/core/priority.ts";
import type { Gate } from "../../src/core/tenant.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createIsolate, createWorld } from "../support/memory-router.ts";
import { messageOf, messageWith, type TestMessage } from "./consumer.ts";

const gate = (more: Partial<Gate>): Gate => ({
  ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: true },
  ...more,
});

export const batchOf = (
  count: number,
  to: readonly string[] = ["pager"],
  prefix = "key",
): TestMessage[] =>
  Array.from({ length: count }, (_, at) => messageWith({ key: `${prefix}-${at}`, to }));

export function createPager() {
  const world = createWorld();
  const ports = createIsolate(world).deliver;

  function pagerWith(more: Partial<Gate> | null, others: readonly string[] = []): void {
    const pager = more === null ? {} : { gate: gate(more) };
    const rest = Object.fromEntries(others.map((name) => [name, {}]));
    world.tenants.put("acme", { targets: { pager, ...rest } });
  }

  /** Works on whatever the queues hold, second by second. */
  async function run(seconds: number, by: DeliverPorts = ports): Promise<void> {
    for (let second = 0; second < seconds * 2; second += 1) {
      for (const queue of QUEUES) {
        const messages = world.queues.take(queue, 10).map(({ body }) => messageOf(body));
        if (messages.length > 0) await world.clock.run(deliverBatch(queue, messages, by));
      }
      await world.clock.advance(500);
    }
  }

  const batch = (messages: readonly TestMessage[], by: DeliverPorts = ports): Promise<void> =>
    world.clock.run(deliverBatch("normal", messages, by));

  const states = (): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { state } of world.ledger.deliveries.values())
      counts[state] = (counts[state] ?? 0) + 1;
    return counts;
  };

  /** The most starts within any `ms`. */
  function mostWithin(ms: number): number {
    const starts = world.transport.sent.map(({ atMs }) => atMs);
    return Math.max(
      ...starts.map((from) => starts.filter((at) => at >= from && at < from + ms).length),
    );
  }

  /** Its results are written so much later. */
  function slowToSettle(ms: number): DeliverPorts {
    const settle: DeliverPorts["ledger"]["settle"] = async (...asked) => {
      await world.clock.timer(ms).elapsed;
      return world.ledger.settle(...asked);
    };
    return createIsolate(world, { broken: { ledger: { ...world.ledger, settle } } }).deliver;
  }

  return { world, ports, pagerWith, run, batch, states, mostWithin, slowToSettle };
}
