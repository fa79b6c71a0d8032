/** Whether the urgent, the healthy and the quiet feel anything of the others. */
import type { Options, Report } from "../../part.ts";
import { measureBadTargets } from "./bad-targets.ts";
import { measureNoisyTenant } from "./noisy-tenant.ts";
import { measurePriority } from "./priority.ts";

export async function measureIsolation(options: Options): Promise<Report> {
  const ground = await options.ground();
  const parts: Omit<Report, "title">[] = [];
  for (const measure of [measurePriority, measureBadTargets, measureNoisyTenant]) {
    parts.push(await measure(ground, options));
  }
  return {
    title: "Isolation",
    text: parts.flatMap(({ text }) => text),
    data: Object.assign({}, ...parts.map(({ data }) => data)),
    failures: parts.flatMap(({ failures }) => failures),
  };
}
