/** The objects of gates as far as they send batches: each a process of its own, which may die at any call. */
import { lookForBatch, sendBatch, takeBatch } from "../../src/flows/send-batch.ts";
import type { GateId } from "../../src/ports/gates.ts";
import { wiredBatches, wiredLeases } from "./batch-rows.ts";
import type { Invocation } from "./invocation.ts";
import type { Isolate } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import type { Stores } from "./stores.ts";

export interface GateObjects {
  /** Answers whether this is the life of one of them, which is over then. The next call starts it anew. */
  kill(life: Life): boolean;
  killAll(): void;
}

export function createGateObjects(
  stores: Stores,
  isolateOf: (life: Life) => Isolate,
  isClosed: () => boolean,
): GateObjects {
  const { gates, scheduler, trace } = stores;
  const living = new Map<string, { readonly id: GateId; readonly isolate: Isolate }>();

  function isolateAt(id: GateId): Isolate {
    if (isClosed()) throw new Error("the engine starts again");
    const name = `${id.tenant}/${id.target}`;
    const known = living.get(name);
    if (known !== undefined) return known.isolate;
    const isolate = isolateOf(createLife(`gate ${name}`, scheduler));
    living.set(name, { id, isolate });
    return isolate;
  }

  function portsAt(id: GateId, token: string | null = null) {
    const isolate = isolateAt(id);
    const invocation: Invocation = {
      ...{ life: isolate.life, role: "sweep", startedAtMs: scheduler.nowMs(), token },
    };
    return {
      ...isolate.deliver(invocation),
      batches: async () => wiredBatches(stores, invocation),
      pulls: async () => wiredLeases(stores, invocation),
    };
  }

  gates.sendBy({
    look: async (id, limits) => lookForBatch(id, limits, portsAt(id)),
    take: async (due) => takeBatch(due, portsAt(due.id)),
    send: async (held) => sendBatch(held, portsAt(held.id, held.token)),
  });

  function kill({ isolate: life }: Life): boolean {
    const found = [...living].find(([, { isolate }]) => isolate.life === life);
    if (found === undefined) return false;
    const [name, { id }] = found;
    trace.note(life.name, "dies");
    life.kill();
    living.delete(name);
    gates.restart(id);
    return true;
  }

  return {
    kill,
    killAll() {
      for (const { isolate } of [...living.values()]) kill(isolate.life);
    },
  };
}
