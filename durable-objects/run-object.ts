/** What goes on by itself, slice by slice, until it is done: which one, and its alarm. */
import { DurableObject } from "cloudflare:workers";
import { replayParts } from "../src/compose.ts";
import type { Env } from "../src/env.ts";
import { createReplayRun, type ReplayRun } from "../src/flows/replay-run.ts";
import type { ReplayId } from "../src/ports/replays.ts";
import { runMemo } from "./run-memo.ts";

export abstract class RunObject extends DurableObject<Env> {
  readonly #run: ReplayRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#run = createReplayRun({
      ...replayParts,
      memo: runMemo(state.storage),
      slice: (run) => this.slice(run),
    });
  }

  /** In how many milliseconds the next slice is due; null when none is. */
  protected abstract slice(run: ReplayId): Promise<number | null>;

  wake(tenant: string, id: string): Promise<void> {
    return this.#run.wake({ tenant, id });
  }

  override alarm(): Promise<void> {
    return this.#run.alarm();
  }
}
