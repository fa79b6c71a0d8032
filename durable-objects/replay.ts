/** A replay that runs: which one, and its alarm. What a slice does is `flows/replay-slice.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeSlices, replayParts } from "../src/compose.ts";
import type { Env } from "../src/env.ts";
import { createReplayRun, type ReplayRun } from "../src/flows/replay-run.ts";
import { runMemo } from "./run-memo.ts";

export class Replay extends DurableObject<Env> {
  readonly #run: ReplayRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#run = createReplayRun({
      ...replayParts,
      memo: runMemo(state.storage),
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
