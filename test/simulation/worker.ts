/** A process that runs seeds as it is told to, with a planted bug if its arguments name one. */
import { PLANTED } from "./planted.ts";
import { plant } from "./planting.ts";

export interface Order {
  readonly fromSeed: number;
  readonly count: number;
  /** Whether to stop at the first violation. */
  readonly untilFirst: boolean;
}

export interface Report {
  readonly seeds: number;
  readonly steps: number;
  readonly events: number;
  readonly repeats: number;
  readonly violations: readonly { readonly seed: number; readonly sentence: string }[];
  readonly cpuMs: number;
}

/** Runs side by side share the turns of the event loop; more of them, and the collector copies every world. */
const SIDE_BY_SIDE = 2;

// Nobody reads the stacks of errors that are made on purpose, and they cost more than the rest.
Error.stackTraceLimit = 0;

plant(process.argv[2], PLANTED);
const { run } = await import("./run.ts");

let escaped: string | null = null;
process.on("unhandledRejection", (reason) => {
  escaped ??= `an error escaped: ${String(reason)}`;
});

process.on("message", (order: Order) => {
  void obey(order).then((report) => process.send?.(report));
});
process.send?.("ready");

async function obey({ fromSeed, count, untilFirst }: Order): Promise<Report> {
  const before = process.cpuUsage();
  let [seeds, steps, events, repeats] = [0, 0, 0, 0];
  const violations: { seed: number; sentence: string }[] = [];
  for (let at = 0; at < count; at += SIDE_BY_SIDE) {
    const size = Math.min(SIDE_BY_SIDE, count - at);
    const outcomes = await Promise.all(
      Array.from({ length: size }, (_, index) => run(fromSeed + at + index)),
    );
    for (const { seed, violation, ...outcome } of outcomes) {
      seeds += 1;
      steps += outcome.steps;
      events += outcome.events;
      repeats += outcome.repeats;
      if (violation !== null) violations.push({ seed, sentence: violation.sentence });
    }
    if (escaped !== null) violations.push({ seed: fromSeed + at, sentence: escaped });
    escaped = null;
    if (untilFirst && violations.length > 0) break;
  }
  const { user, system } = process.cpuUsage(before);
  return { seeds, steps, events, repeats, violations, cpuMs: (user + system) / 1_000 };
}
