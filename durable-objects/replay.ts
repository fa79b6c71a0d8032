/** A replay that runs: which one, and its alarm. What a slice does is `flows/replay-slice.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeSlices, replayParts } from "../src/compose.ts";
import type { Env } from "../src/env.ts";
import { createReplayRun, type ReplayRun } from "../src/flows/replay-run.ts";
import type { ReplayId } from "../src/ports/replays.ts";
import { setAlarm } from "./counted.ts";

export class Replay extends DurableObject<Env> {
  readonly #run: ReplayRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    const { storage } = state;
    this.#run = createReplayRun({
      ...replayParts,
      memo: {
        read: async () => (await storage.get<ReplayId>("replay")) ?? null,
        write: (replay) => storage.put("replay", replay),
        alarmMs: () => storage.getAlarm(),
        setAlarm: (atMs) => setAlarm(storage, atMs),
        async erase() {
          await storage.deleteAlarm();
          await storage.deleteAll();
        },
      },
      async slice(replay) {
        const { replaySlice } = await import("../src/flows/replay-slice.ts");
        return replaySlice(replay, await composeSlices(env));
      },
    });
  }

  wake(tenant: string, id: string): Promise<void> {
    return this.#run.wake({ tenant, id });
  }

  override alarm(): Promise<void> {
    return this.#run.alarm();
  }
}
