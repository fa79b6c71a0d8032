/** A fan-out that runs: which one, and its alarm. What a page does is `flows/fan-out-page.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeFanOuts, replayParts } from "../src/compose.ts";
import type { Env } from "../src/env.ts";
import { createReplayRun, type ReplayRun } from "../src/flows/replay-run.ts";
import { runMemo } from "./run-memo.ts";

export class FanOut extends DurableObject<Env> {
  readonly #run: ReplayRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#run = createReplayRun({
      ...replayParts,
      memo: runMemo(state.storage),
      async slice(fanOut) {
        const { fanOutPage } = await import("../src/flows/fan-out-page.ts");
        return fanOutPage(fanOut, await composeFanOuts(env));
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
