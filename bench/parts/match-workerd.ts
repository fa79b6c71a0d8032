/** The same matcher in workerd. Its clock stands still while it works, so it is measured from outside. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BANKS } from "../city-lots.ts";
import { build, runWorker } from "../engine.ts";
import { createScratch } from "../ground.ts";
import { median } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import type { Options } from "../part.ts";
import type { Measured } from "./match-orders.ts";

const COUNTS = [5, 1_000, 10_000] as const;

export async function measureInWorkerd({ quick }: Pick<Options, "quick">): Promise<Measured> {
  const directory = createScratch(tmpdir())();
  const wranglerToml = "bench/matcher/wrangler.toml";
  build(wranglerToml, directory, "--minify");
  const script = join(directory, "worker.js");
  const worker = await runWorker({
    name: "matcher",
    wranglerToml,
    script,
    vars: {},
    consumer: "own",
  });
  try {
    const rows: { bank: string; rates: number[] }[] = [];
    for (const { name: bank, isBoundByOutput } of BANKS) {
      if (isBoundByOutput) continue;
      const rates = [];
      for (const count of COUNTS) rates.push(await rateOf(worker.origin, bank, count, quick));
      rows.push({ bank, rates });
    }
    return {
      text: [
        table(
          ["in workerd, parsed: 1,000 events/s", ...COUNTS.map((count) => figure(count))],
          rows.map(({ bank, rates }) => [bank, ...rates.map((rate) => figure(rate / 1_000))]),
        ),
      ],
      data: { rows },
    };
  } finally {
    await worker.stop();
  }
}

/** What a request of many events takes beyond one of none. */
async function rateOf(
  origin: string,
  bank: string,
  rules: number,
  quick: boolean,
): Promise<number> {
  const ask = async (events: number): Promise<number> => {
    const query = new URLSearchParams({ bank, rules: `${rules}`, events: `${events}` });
    const start = performance.now();
    const answer = await fetch(`${origin}/?${query}`);
    if (!answer.ok) throw new Error(`${bank}: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
    return performance.now() - start;
  };
  const events = quick ? 20_000 : 100_000;
  await ask(events); // compiles the bank, and lets the engine compile the matcher
  const times = [];
  for (let pass = 0; pass < (quick ? 2 : 5); pass += 1)
    times.push((await ask(events)) - (await ask(0)));
  return (events * 1_000) / median(times);
}
