/** What the passes of the ingest benchmark say. */
import { type Compared, compare, median, quantile, reaches } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import { RULES, RULES_MATCHING } from "../workload.ts";
import { type Capacity, OPEN_LOOP_PER_SECOND, type Sample, type Samples } from "./ingest.ts";

/** Only where the baseline repeats its own p99 this well does another's mean anything. */
const P99_REPEATS = { low: 0.8, high: 1.25 };

const baselineOf = (samples: Samples): readonly Sample[] => [...samples.values()][0] ?? [];

const rates = (of: readonly Sample[]): number[] => of.map(({ perSecond }) => perSecond);
const cpus = (of: readonly Sample[]): number[] => of.map(({ cpuUsPerEvent }) => cpuUsPerEvent);

export function capacityText({ connections, samples }: Capacity): string {
  const baseline = baselineOf(samples);
  const rows = [...samples].map(([{ system, goal }, own]) => {
    const compared = compare(rates(own), rates(baseline), "higher");
    const cpu = median(cpus(own));
    return [
      system.name,
      figure(median(rates(own))),
      ...(own === baseline ? ["1.00", "", ""] : ratioCells(compared)),
      goal === null ? "" : `≥ ${goal}: ${reaches(goal, compared)}`,
      figure(cpu),
      figure(cpu / median(cpus(baseline)), 2),
    ];
  });
  const head = ["events/s", "ratio", "95 %", "verdict", "goal", "CPU µs/event", "ratio"];
  return table([`closed loop, ${connections} connections`, ...head], rows);
}

const ratioCells = ({ ratio, interval, verdict }: Compared): string[] => [
  figure(ratio, 2),
  `${figure(interval.low, 2)}–${figure(interval.high, 2)}`,
  verdict,
];

const pooled = (samples: readonly Sample[], share: number): number =>
  quantile(
    samples.flatMap(({ latenciesMs }) => latenciesMs),
    share,
  );

export function latencyText(samples: Samples): string[] {
  const baseline = baselineOf(samples);
  const p99Of = (of: readonly Sample[]): number => pooled(of, 0.99);
  const again = p99Of([...samples.values()][1] ?? []) / p99Of(baseline);
  const repeats = again >= P99_REPEATS.low && again <= P99_REPEATS.high;
  const rows = [...samples].map(([{ system }, own]) => [
    system.name,
    figure(pooled(own, 0.5), 2),
    figure(pooled(own, 0.9), 2),
    figure(p99Of(own), 2),
    figure(pooled(own, 0.5) - pooled(baseline, 0.5), 2),
  ]);
  const head = ["p50 ms", "p90 ms", "p99 ms", "p50 added"];
  return [
    table([`open loop, ${OPEN_LOOP_PER_SECOND}/s`, ...head], rows),
    [
      `1 KB body, ${RULES_MATCHING} of ${RULES} rules matches, one target. "door": the queue's consumer`,
      "only acknowledges, as the baseline's does; \"whole\": the router's own consumer claims, delivers",
      "and settles meanwhile, in the same thread. CPU is of the runtime until the last event is consumed.",
      `p99 is ${repeats ? "repeatable" : "INCONCLUSIVE"} here: the baseline's own two differ by ${figure(again, 2)}.`,
    ].join("\n"),
  ];
}

export function dataOf(capacities: readonly Capacity[], latencies: Samples): object {
  return {
    capacity: capacities.map(({ connections, samples }) => ({
      connections,
      systems: [...samples].map(([{ system, goal }, own]) => ({
        name: system.name,
        perSecond: median(rates(own)),
        cpuUsPerEvent: median(cpus(own)),
        goal,
        ...compare(rates(own), rates(baselineOf(samples)), "higher"),
      })),
    })),
    latency: [...latencies].map(([{ system }, own]) => ({
      name: system.name,
      p50Ms: pooled(own, 0.5),
      p90Ms: pooled(own, 0.9),
      p99Ms: pooled(own, 0.99),
      samples: own.reduce((sum, { latenciesMs }) => sum + latenciesMs.length, 0),
    })),
  };
}
