/** A process with the real flows: each call of a store takes its time, may fail, and dies with the process. */
import type { DeliverPorts } from "../../src/flows/ports.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { createIsolate, type World } from "../support/memory-router.ts";
import { createMemoryTurns } from "../support/memory-turns.ts";
import type { Chance } from "./chance.ts";
import type { OrderWatch } from "./order-watch.ts";

export interface OrderLife {
  readonly ports: DeliverPorts;
  readonly isDead: boolean;
  readonly died: Promise<void>;
  die(): void;
}

export interface OrderStorm {
  /** Share of calls that fail, before or after their work. */
  readonly failing: number;
}

const CALL_MS_MAX = 40;
/** Bytes may take their time to rest. */
const ARCHIVE_MS_MAX = 1_500;

export function beginLife(
  world: World,
  chance: Chance,
  watch: OrderWatch,
  storm: () => OrderStorm,
): OrderLife {
  let isDead = false;
  const { promise: died, resolve } = Promise.withResolvers<void>();
  /** Of one that is dead nothing goes on. */
  const ifAlive = async (): Promise<void> => {
    if (isDead) await new Promise(() => {});
  };
  const pause = async (msMax = CALL_MS_MAX): Promise<void> => {
    await world.clock.timer(chance.between(0, msMax)).elapsed;
    await ifAlive();
  };

  /** A death may come before its effect, or after it. */
  async function call<T>(effect: () => Promise<T>, msMax?: number): Promise<T> {
    await pause(msMax);
    const fault = chance.happens(storm().failing) ? chance.pick(["before", "after"]) : null;
    if (fault === "before") throw new Error("fails by plan");
    const answer = await effect();
    watch.looked();
    await pause();
    if (fault === "after") throw new Error("fails by plan");
    return answer;
  }

  const wired = <Port extends object>(port: Port, msMax?: number): Port =>
    new Proxy(port, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        const method = member.bind(target) as (...parameters: unknown[]) => Promise<unknown>;
        return (...parameters: unknown[]) => call(() => method(...parameters), msMax);
      },
    });

  const clock: Clock = {
    nowMs: world.clock.nowMs,
    timer(ms) {
      const { elapsed, cancel } = world.clock.timer(ms);
      return { elapsed: elapsed.then(ifAlive), cancel };
    },
  };
  const turns = watch.watching(createMemoryTurns(world.clock, world.ledger, world.tenants));
  const { deliver } = createIsolate(world, {
    seed: chance.between(1, 1_000_000_000),
    broken: {
      clock,
      archive: wired(world.archive, chance.pick([CALL_MS_MAX, ARCHIVE_MS_MAX])),
      defer: (work) => void work.catch((error: unknown) => watch.rejected("deferred work", error)),
      gates: wired(world.gates),
      ledger: wired(world.ledger),
      queues: wired(world.queues),
      transport: {
        async send(request) {
          await pause();
          const answer = await world.transport.send(request);
          await ifAlive();
          return answer;
        },
      },
      turns: async () => wired(turns),
    },
  });
  return {
    ports: deliver,
    get isDead() {
      return isDead;
    },
    died,
    die() {
      isDead = true;
      resolve();
    },
  };
}
