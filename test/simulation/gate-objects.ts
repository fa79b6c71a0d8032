/** The objects of gates as far as they send batches: each a process of its own, which may die at any call. */
import { BATCH_GUARD_MS } from "../../src/core/batch/limits.ts";
import { lookForBatch, sendBatch, takeBatch } from "../../src/flows/send-batch.ts";
import type { GateId } from "../../src/ports/gates.ts";
import { wiredBatches, wiredLeases } from "./batch-rows.ts";
import type { Invocation } from "./invocation.ts";
import type { Isolate } from "./isolates.ts";
import { createLife, type Life } from "./life.ts";
import type { Planned } from "./scheduler.ts";
import type { Stores } from "./stores.ts";

export interface GateObjects {
  /** Answers whether this is the life of one of them, which is over then. The next call starts it anew. */
  kill(life: Life): boolean;
  killAll(): void;
}

/** Its alarm stands so long after it began to look, and goes off in time. */
const LOOKED_MS = BATCH_GUARD_MS + 1_000;

const nameOf = ({ tenant, target }: GateId): string => `${tenant}/${target}`;

export function createGateObjects(
  stores: Stores,
  isolateOf: (life: Life) => Isolate,
  isClosed: () => boolean,
): GateObjects {
  const { gates, scheduler, trace, violations } = stores;
  const living = new Map<string, { readonly id: GateId; readonly isolate: Isolate }>();
  /** Gates that lease a batch just now. */
  const taking = new Set<string>();
  /** When the object died that did: by then its alarm has gone off. */
  const mustLook = new Map<string, Planned>();

  function isolateAt(id: GateId): Isolate {
    if (isClosed()) throw new Error("the engine starts again");
    const name = nameOf(id);
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
    async look(id, limits) {
      const awaited = mustLook.get(nameOf(id));
      if (awaited !== undefined) awaited.cancelled = true;
      return lookForBatch(id, limits, portsAt(id));
    },
    async take(due) {
      const name = nameOf(due.id);
      taking.add(name);
      return takeBatch(due, portsAt(due.id)).finally(() => taking.delete(name));
    },
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
    if (taking.delete(name)) {
      const late = (): void => violations.add(`nobody looks after the batch that ${name} took`);
      mustLook.set(name, scheduler.after(LOOKED_MS, null, late));
    }
    return true;
  }

  return {
    kill,
    killAll() {
      for (const { isolate } of [...living.values()]) kill(isolate.life);
    },
  };
}
