/** `npm run match`: the index beside the plain reference, on as many rule sets and events as wished. */
import { cpus } from "node:os";
import { readArguments, readCount } from "../../../../src/local/arguments.ts";
import { compareSeeds, huntPlanted } from "./pool.ts";

const USAGE = "npm run match -- [--seed N] [--cases M] | --planted";

const { values } = readArguments(USAGE, {
  options: {
    seed: { type: "string" },
    cases: { type: "string" },
    planted: { type: "boolean", default: false },
  },
});
const seed = readCount(USAGE, "seed", values.seed, { usual: 1, least: 0 });
const cases = readCount(USAGE, "cases", values.cases, { usual: 1_000_000, least: 1 });

const startedAtMs = performance.now();
const all = cpus();
const where = () =>
  `${Math.round((performance.now() - startedAtMs) / 1_000)} s, ${all.length} cores ${all[0]?.model ?? ""}, Node ${process.versions.node}`;

if (values.planted) {
  const hunts = await huntPlanted();
  for (const { name, seed: caught } of hunts) {
    console.log(
      caught === null
        ? `NOT CAUGHT          ${name}`
        : `caught by seed ${String(caught).padStart(4)} ${name}`,
    );
  }
  const missed = hunts.filter(({ seed: caught }) => caught === null).length;
  console.log(`${hunts.length} planted bugs, ${missed} missed, ${where()}`);
  process.exitCode = missed === 0 ? 0 : 1;
} else {
  let saidAtMs = startedAtMs;
  const total = await compareSeeds(seed, (soFar) => {
    if (performance.now() - saidAtMs > 5_000) {
      saidAtMs = performance.now();
      console.error(`${soFar.cases} of ${cases} cases, ${soFar.differences.length} differences`);
    }
    return soFar.cases >= cases || soFar.differences.length > 0;
  });
  for (const difference of total.differences.slice(0, 3)) {
    console.log(`seed ${difference.seed}: the index says ${difference.index.join(" ") || "none"}`);
    console.log(`  the reference says ${difference.reference.join(" ") || "none"}`);
    for (const rule of difference.rules) console.log(`  ${rule}`);
    console.log(`  ${difference.event}`);
    console.log(`again: npm run match -- --seed ${difference.seed} --cases 1`);
  }
  console.log(
    `${total.cases} rule sets and events, ${total.rules} verdicts, ${total.matches} matches, ` +
      `${total.differences.length} differences, ${where()}`,
  );
  process.exitCode = total.differences.length === 0 ? 0 : 1;
}
