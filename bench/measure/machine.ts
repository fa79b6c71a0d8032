/** Where a measurement was made, and what else went on there. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../src/local/paths.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly versions: Readonly<Record<string, string>>;
}

export function machine(): Machine {
  const packages = ["workerd", "miniflare", "wrangler", "hono"];
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    versions: {
      node: process.version,
      ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    },
  };
}

function versionOf(name: string): string {
  const manifest = readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

export interface Strain {
  /** Runnable processes over the last minute; above the cores, others had a share in the result. */
  readonly loadAverage: number;
  /** Share of all cores that the host took away; null where the system does not say. */
  readonly stolen: number | null;
}

/** Call it at the start; what it answers tells, at the end, how strained the machine was between. */
export function watchStrain(): () => Strain {
  const before = ticks();
  return () => {
    const after = ticks();
    const loadAverage = Math.round((loadavg()[0] ?? 0) * 100) / 100;
    if (before === null || after === null) return { loadAverage, stolen: null };
    const stolen = (after.stolen - before.stolen) / Math.max(1, after.all - before.all);
    return { loadAverage, stolen: Math.round(stolen * 1_000) / 1_000 };
  };
}

/** proc(5), first line of /proc/stat; the eighth number is steal. */
function ticks(): { all: number; stolen: number } | null {
  if (process.platform !== "linux") return null;
  const [first = ""] = readFileSync("/proc/stat", "utf8").split("\n", 1);
  const numbers = first.trim().split(/\s+/).slice(1, 9).map(Number);
  return { all: numbers.reduce((sum, value) => sum + value, 0), stolen: numbers[7] ?? 0 };
}
