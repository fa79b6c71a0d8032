/** A tenant whose rule sends each element of a list on, for tests; and everything that does it, turn by turn. */
import { platformText } from "../../src/adapters/crypto.ts";
import { QUEUES } from "../../src/core/priority.ts";
import { acceptEvent } from "../../src/flows/accept-event.ts";
import { deliverBatch } from "../../src/flows/deliver-batch.ts";
import { type FanOutPorts, fanOutPage } from "../../src/flows/fan-out-page.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import type { FanOut } from "../../src/ports/fan-outs.ts";
import { createIsolate, createWorld, type Isolate, type World } from "../support/memory-router.ts";
import type { RuleSketch } from "../support/memory-tenants.ts";
import { webhook } from "./sender.ts";

export interface Mailing {
  readonly world: World;
  readonly isolate: Isolate;
  readonly ports: FanOutPorts;
  send(body: string | Uint8Array, headers?: Record<string, string>): Promise<void>;
  /** Works on what is due in every queue, once; answers how many messages. */
  consume(broken?: Partial<DeliverPorts>): Promise<number>;
  page(ports?: FanOutPorts): Promise<number | null>;
  /** Pages and batches until nothing is left to do at once. */
  finish(): Promise<void>;
  fanOut(): FanOut | undefined;
  /** Bodies in the order in which receivers got them. */
  received(target?: string): string[];
}

export const listOf = (count: number): string =>
  JSON.stringify({ recipients: Array.from({ length: count }, (_, n) => ({ n })) });

/** Each isolate has randomness of its own: names of segments come from it. */
let isolates = 1;

export function createMailing(rule: Partial<RuleSketch> = {}): Mailing {
  const world = createWorld();
  world.tenants.put("acme", {
    sources: { lists: { bytesMax: 25_000_000 } },
    targets: { mail: {}, log: {} },
    rules: { blast: { targets: ["mail"], forEach: "$.data.recipients", ...rule } },
  });
  const isolate = createIsolate(world);
  const ports: FanOutPorts = { ...isolate.accept, fanOuts: world.fanOuts };
  const fanOut = () => [...world.fanOuts.rows.values()][0];
  const mailing: Mailing = {
    ...{ world, isolate, ports, fanOut },
    async send(body, headers = { "content-type": "application/json" }) {
      const sent = acceptEvent(webhook("acme/lists", body, headers), isolate.accept);
      const { kind } = await world.clock.run(sent);
      if (kind !== "accepted") throw new Error(kind);
    },
    async consume(broken = {}) {
      let count = 0;
      for (const role of QUEUES) {
        const messages = world.queues.take(role, 100);
        count += messages.length;
        isolates += 1;
        const { deliver } = createIsolate(world, { broken, seed: isolates });
        if (messages.length > 0) await world.clock.run(deliverBatch(role, messages, deliver));
      }
      return count;
    },
    async page(own = ports) {
      const { tenant = "", id = "" } = fanOut() ?? {};
      return world.clock.run(fanOutPage({ tenant, id }, own));
    },
    async finish() {
      for (let turns = 0; turns < 1_000; turns += 1) {
        const next = await mailing.page();
        const consumed = await mailing.consume();
        if (next !== null) await world.clock.advance(next);
        else if (consumed === 0) return;
      }
      throw new Error("it does not end");
    },
    received: (target = "mail") =>
      world.transport.sent
        .filter(({ url }) => url.includes(target))
        .map(({ body }) => (body instanceof Uint8Array ? (platformText.decode(body) ?? "") : "")),
  };
  return mailing;
}

/** Of its elements, how many are in each state. */
export const states = async ({ world, fanOut }: Mailing) => {
  const found = fanOut();
  return found === undefined ? {} : world.fanOuts.states(found);
};
