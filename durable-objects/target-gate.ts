/** A target's gate: its state and its alarm. What it decides is `src/core/gate`. */
import { DurableObject } from "cloudflare:workers";
import { compose, gateParts } from "../src/compose.ts";
import { onFirstUse } from "../src/core/first-use.ts";
import type { GateConfig } from "../src/core/gate/index.ts";
import type { Limitation } from "../src/core/limitation.ts";
import type { Env } from "../src/env.ts";
import type { KeptGate } from "../src/flows/gate-memory.ts";
import type { GateRun } from "../src/flows/gate-run.ts";
import type { GateAnswered, GateId, GateTold } from "../src/ports/gates.ts";
import { put, setAlarm } from "./counted.ts";

export class TargetGate extends DurableObject<Env> {
  /** Loaded by the first gate of an isolate: most targets have no limits. */
  readonly #run: () => Promise<GateRun>;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    const { storage } = state;
    const batches = () => import("../src/flows/send-batch.ts");
    const ports = () => {
      const composed = compose(env);
      if (!composed.ok) throw new Error("the configuration is not valid");
      return composed.app.deliver;
    };
    this.#run = onFirstUse(async () => {
      const { createGateRun } = await import("../src/flows/gate-run.ts");
      return createGateRun({
        ...gateParts,
        memo: {
          read: async () => (await storage.get<KeptGate>("gate")) ?? null,
          write: (kept) => put(storage, "gate", kept),
          erase: () => storage.deleteAll(),
          alarmMs: () => storage.getAlarm(),
          setAlarm: (atMs) => setAlarm(storage, atMs),
        },
        async release(id, most) {
          const { releaseParked } = await import("../src/flows/release-parked.ts");
          return releaseParked(id, most, ports());
        },
        async giveUp(id, sinceMs, version) {
          const { disableTarget, failingSince } = await import("../src/flows/disable-target.ts");
          return disableTarget(id, version, failingSince(sinceMs), ports());
        },
        batches: {
          async look(id, limits) {
            return (await batches()).lookForBatch(id, limits, ports());
          },
          async take(due) {
            return (await batches()).takeBatch(due, ports());
          },
          async send(held) {
            return (await batches()).sendBatch(held, ports());
          },
        },
        defer: (work) => state.waitUntil(work),
      });
    });
  }

  async tell(id: GateId, told: GateTold): Promise<GateAnswered | null> {
    return (await this.#run()).tell(id, told);
  }

  async limits(id: GateId, config: GateConfig): Promise<Limitation[]> {
    return [...(await (await this.#run()).limits(id, config))];
  }

  async nextBatchMs(id: GateId): Promise<number | null> {
    return (await this.#run()).nextBatchMs(id);
  }

  async reset(id: GateId, config: GateConfig): Promise<void> {
    await (await this.#run()).reset(id, config);
  }

  async wake(id: GateId, config: GateConfig | null): Promise<void> {
    await (await this.#run()).wake(id, config);
  }

  override async alarm(): Promise<void> {
    await (await this.#run()).alarm();
  }
}
