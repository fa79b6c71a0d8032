/** A process that compares seeds, if it is told so with a planted bug. */
import { plant } from "../../../simulation/planting.ts";
import { PLANTED } from "./planted.ts";

const [planted] = process.argv.slice(2);
plant(planted, PLANTED);
// Loaded only now, so that the bug is in it.
const { compareSeed } = await import("./compare.ts");
process.on("message", (seed: number) => {
  try {
    process.send?.(compareSeed(seed));
  } catch (error) {
    process.send?.({ failed: String(error) });
  }
});
process.send?.("ready");
