/** A replay that runs. What a slice does is `flows/replay-slice.ts`. */
import { composeSlices } from "../src/compose.ts";
import type { ReplayId } from "../src/ports/replays.ts";
import { RunObject } from "./run-object.ts";

export class Replay extends RunObject {
  protected override async slice(replay: ReplayId): Promise<number | null> {
    const { replaySlice } = await import("../src/flows/replay-slice.ts");
    return replaySlice(replay, await composeSlices(this.env));
  }
}
