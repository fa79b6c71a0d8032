/** How big the Worker is as deployed, what of it runs before the first request, and what that costs. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ROOT, WRANGLER } from "../../src/local/paths.ts";
import { build } from "../engine.ts";
import { createScratch, type Scratch } from "../ground.ts";
import { figure, table } from "../measure/table.ts";
import { type Options, progress, type Report } from "../part.ts";

/** Of what is evaluated before the first request, compressed: every isolate pays it (docs/decisions/0028). */
const START_GZIP_BYTES_MAX = 120 * 1_024;
/** Of all modules together, compressed as wrangler counts it. */
const GZIP_BYTES_MAX = 240 * 1_024;

interface Metafile {
  readonly inputs: Readonly<Record<string, { imports: readonly { path: string; kind: string }[] }>>;
  readonly outputs: Readonly<
    Record<
      string,
      { entryPoint?: string; inputs: Readonly<Record<string, { bytesInOutput: number }>> }
    >
  >;
}

interface Bundle {
  readonly bytes: number;
  readonly gzipBytes: number;
}

export async function measureSize({ quick }: Options): Promise<Report> {
  progress("size: building");
  const scratch = createScratch(tmpdir());
  const meta = join(scratch(), "meta.json");
  const deployed = bundleOf("wrangler.toml", scratch, "--metafile", meta);
  const plain = bundleOf("wrangler.toml", scratch, "--no-minify");
  const baseline = bundleOf("bench/baseline/wrangler.toml", scratch, "--minify");
  const metafile = JSON.parse(readFileSync(meta, "utf8")) as Metafile;
  const parts = partsOf(metafile);
  const runs = quick ? 1 : 5;
  progress(`size: ${runs} starts each`);
  const startMs = startupMs("wrangler.toml", runs, scratch);
  const baselineStartMs = startupMs("bench/baseline/wrangler.toml", runs, scratch);
  const startGzipBytes = deployed.gzipBytes * (bytesOf(parts, false) / bytesOf(parts));
  const data = { deployed, plain, baseline, parts, startMs, baselineStartMs, startGzipBytes };
  return { title: "Bundle", text: textOf(data), data, failures: failuresOf(data) };
}

function bundleOf(wranglerToml: string, scratch: Scratch, ...more: string[]): Bundle {
  const directory = scratch();
  build(wranglerToml, directory, ...more);
  const modules = readdirSync(directory).filter((name) => !/\.(map|md|json)$/.test(name));
  const contents = modules.map((name) => readFileSync(join(directory, name)));
  return {
    bytes: contents.reduce((sum, content) => sum + content.length, 0),
    gzipBytes: gzipSync(Buffer.concat(contents)).length,
  };
}

interface Part {
  readonly name: string;
  readonly bytes: number;
  /** Loaded on first use by `import()`: evaluated when first asked for, not at the start. */
  readonly lazy: boolean;
}

/** By package, or folder of ours; a file is evaluated at the start if static imports lead to it. */
function partsOf({ inputs, outputs }: Metafile): Part[] {
  const main = Object.values(outputs).find(({ entryPoint }) => entryPoint !== undefined);
  if (main?.entryPoint === undefined) throw new Error("The metafile names no entry point.");
  const atStart = new Set<string>();
  const reach = (file: string): void => {
    if (atStart.has(file)) return;
    atStart.add(file);
    for (const { path, kind } of inputs[file]?.imports ?? []) {
      if (kind !== "dynamic-import") reach(path);
    }
  };
  reach(main.entryPoint);
  const parts = new Map<string, Part>();
  for (const [file, { bytesInOutput }] of Object.entries(main.inputs)) {
    const lazy = !atStart.has(file);
    const name = nameOf(file);
    const key = `${name} ${lazy}`;
    parts.set(key, { name, lazy, bytes: (parts.get(key)?.bytes ?? 0) + bytesInOutput });
  }
  return [...parts.values()].toSorted((left, right) => right.bytes - left.bytes);
}

function nameOf(file: string): string {
  const packaged = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1];
  if (packaged !== undefined) return packaged;
  const own = /^(routes\/admin|[a-z-]+)\//.exec(file)?.[1];
  return own ?? "wrangler";
}

/** Milliseconds in which the isolate was busy when the Worker started, by V8's profile. */
function startupMs(wranglerToml: string, runs: number, scratch: Scratch): number {
  const outfile = join(scratch(), "start.cpuprofile");
  const times = Array.from({ length: runs }, () => {
    const { stdout } = spawnSync(
      process.execPath,
      [WRANGLER, "check", "startup", "--config", wranglerToml, "--outfile", outfile],
      { cwd: ROOT, encoding: "utf8" },
    );
    return Number(/Active: ([\d.]+) ms/.exec(stdout)?.[1] ?? Number.NaN);
  });
  // Other work on the machine only adds.
  return Math.min(...times.filter(Number.isFinite));
}

const kib = (bytes: number): string => `${figure(bytes / 1_024, 1)} KiB`;

/** Of the parts that are evaluated at the start, or on first use; of all if it is not said. */
const bytesOf = (parts: readonly Part[], lazy?: boolean): number =>
  parts.reduce((sum, part) => sum + (part.lazy === (lazy ?? part.lazy) ? part.bytes : 0), 0);

interface Sizes {
  readonly deployed: Bundle;
  /** By their share of the bytes: the parts are compressed together. */
  readonly startGzipBytes: number;
}

const failuresOf = ({ deployed, startGzipBytes }: Sizes): string[] =>
  [
    { what: "What is evaluated at the start", bytes: startGzipBytes, most: START_GZIP_BYTES_MAX },
    { what: "The bundle", bytes: deployed.gzipBytes, most: GZIP_BYTES_MAX },
  ].flatMap(({ what, bytes, most }) =>
    bytes <= most ? [] : [`${what} has ${kib(bytes)} compressed; the budget is ${kib(most)}.`],
  );

function textOf(
  data: Sizes & {
    readonly plain: Bundle;
    readonly baseline: Bundle;
    readonly parts: readonly Part[];
    readonly startMs: number;
    readonly baselineStartMs: number;
  },
): string[] {
  const { deployed, plain, baseline, parts, startMs, baselineStartMs, startGzipBytes } = data;
  const row = (name: string, { bytes, gzipBytes }: Bundle, ms: number) => [
    name,
    kib(bytes),
    kib(gzipBytes),
    Number.isFinite(ms) ? `${figure(ms, 1)} ms` : "–",
  ];
  return [
    table(
      ["", "raw", "gzip", "start CPU"],
      [
        row("router, as deployed", deployed, startMs),
        row("router, not minified", plain, Number.NaN),
        row("baseline, minified", baseline, baselineStartMs),
      ],
    ),
    `Evaluated at the start: ${kib(bytesOf(parts, false))}, about ${kib(startGzipBytes)} of the gzip; on first use: ${kib(bytesOf(parts, true))}.`,
    `Budgets ${kib(START_GZIP_BYTES_MAX)} gzip at the start and ${kib(GZIP_BYTES_MAX)} in all: ${failuresOf(data).length === 0 ? "kept" : "EXCEEDED"}.` +
      " Start CPU: the isolate's busy time in `wrangler check startup`, the least of several.",
    table(
      ["largest parts", "raw", "evaluated"],
      parts
        .slice(0, 10)
        .map(({ name, bytes, lazy }) => [name, kib(bytes), lazy ? "on first use" : "at start"]),
    ),
  ];
}
