/** A fan-out that runs. What a page does is `flows/fan-out-page.ts`. */
import { composeFanOuts } from "../src/compose.ts";
import type { FanOutId } from "../src/ports/fan-outs.ts";
import { RunObject } from "./run-object.ts";

export class FanOut extends RunObject {
  protected override async slice(fanOut: FanOutId): Promise<number | null> {
    const { fanOutPage } = await import("../src/flows/fan-out-page.ts");
    return fanOutPage(fanOut, await composeFanOuts(this.env));
  }
}
