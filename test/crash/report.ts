/** The account of a crash run for a terminal: tables, where and when it was made, and one last line. */
import { machine } from "../../bench/measure/machine.ts";
import { median } from "../../bench/measure/statistics.ts";
import { figure, table } from "../../bench/measure/table.ts";
import type { Inflicted } from "./chaos.ts";
import type { Outcome } from "./crash.ts";

const FAILURES_SHOWN_MAX = 20;
const FAULTS = [
  ["engine", "kill -9 of the engine"],
  ["group", "kill -9 of the whole group"],
  ["pause", "SIGSTOP, then SIGCONT"],
] as const;

export function report(outcome: Outcome, now: Date): string {
  const { options, verdict, inflicted, sent, arrivals, drainMs, kills, failures } = outcome;
  const { cpu, cores, system, versions } = machine();
  const repeats = repeatsAfter(inflicted, verdict.repeatsMs);
  const of = (name: string): string =>
    figure(arrivals.filter(({ outcome: each }) => each === name).length);
  const faults = FAULTS.map(([kind, name]) => {
    const mine = inflicted.filter((each) => each.kind === kind);
    const times = mine.map(({ backMs }) => backMs);
    const counts = mine.map((fault) => repeats.get(fault) ?? 0);
    return [name, mine.length, median(times), most(times), median(counts), most(counts)].map(
      (cell) => (typeof cell === "string" ? cell : figure(cell)),
    );
  });
  return [
    table(
      ["fault", "times", "back after, ms: median", "longest", "repeats: median", "most"],
      faults,
    ),
    "",
    table(
      ["what became of the events", ""],
      [
        ["ok: accepted, delivered to both targets", figure(verdict.ok)],
        ["recovered: its sender never heard 202, delivered to both", figure(verdict.recovered)],
        ["unknown: its sender never heard 202, not seen again", figure(verdict.unknown)],
        ["late: owed when the time was over", figure(verdict.late.length)],
        ["lost", figure(verdict.lost.length)],
        ["unexpected: nobody sent it", figure(verdict.unexpected.length)],
      ],
    ),
    "",
    table(
      ["requests", ""],
      [
        ["by senders", figure(sent.requests)],
        ["… answered 202", figure(sent.accepted)],
        ["… cut off or not answered", figure(sent.unanswered)],
        ["… put off with 5xx", figure(sent.putOff)],
        ["to targets", figure(arrivals.length)],
        ["… answered 2xx", of("answered")],
        ["… answered 500", of("error")],
        ["… answered 429", of("throttled")],
        ["… processed, then hung", of("hang")],
        ["… hung up on", of("hang-up")],
        ["… the router was gone before the answer", of("cut")],
      ],
    ),
    "",
    `  Drained ${drainMs === null ? "never" : `${figure(drainMs / 1_000, 1)} s`} after the last fault; ` +
      `${figure(verdict.repeatsMs.length / Math.max(1, kills), 2)} repeated deliveries per kill; seed ${options.seed}.`,
    `  ${now.toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, ${system}, ${Object.entries(
      versions,
    )
      .map(([name, version]) => `${name} ${version.replace(/^v/, "")}`)
      .join(", ")}.`,
    ...failures.slice(0, FAILURES_SHOWN_MAX).map((line) => `  FAILED: ${line}`),
    ...(failures.length > FAILURES_SHOWN_MAX
      ? [`  FAILED: … and ${failures.length - FAILURES_SHOWN_MAX} more`]
      : []),
    "",
    closingLine(outcome),
  ].join("\n");
}

const most = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : Math.max(...values);

/** Each repeat counts for the last fault before it. */
function repeatsAfter(
  inflicted: readonly Inflicted[],
  repeatsMs: readonly number[],
): ReadonlyMap<Inflicted, number> {
  const counts = new Map<Inflicted, number>();
  for (const ms of repeatsMs) {
    const fault = inflicted.findLast(({ atMs }) => atMs <= ms);
    if (fault !== undefined) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  }
  return counts;
}

export function closingLine({ verdict, copies, inflicted, kills }: Outcome): string {
  return (
    `${verdict.accepted} events accepted, ${verdict.lost.length} lost, ` +
    `${copies.suppressed} duplicates suppressed, ${verdict.repeatsMs.length} repeated deliveries, ` +
    `${kills} kills, ${inflicted.length - kills} pauses`
  );
}
