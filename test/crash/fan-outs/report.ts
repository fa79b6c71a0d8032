/** The account of a crash run of a fan-out for a terminal: a table, where and when it was made, and one last line. */
import { machine } from "../../../bench/measure/machine.ts";
import { median } from "../../../bench/measure/statistics.ts";
import { figure, table } from "../../../bench/measure/table.ts";
import type { FanOutCrashOutcome } from "./crash.ts";

const FAILURES_SHOWN_MAX = 20;

export function fanOutReport(outcome: FanOutCrashOutcome, now: Date): string {
  const { options, verdict, backMs, endedMs, retriedMs, failures } = outcome;
  const { cpu, cores, system, versions } = machine();
  return [
    table(
      ["what became of the elements", ""],
      [
        ["in the list", figure(options.elements)],
        ["that came", figure(verdict.arrived)],
        ["refused by the receiver until it was healed", figure(verdict.refused)],
        ["retried then", figure(verdict.retried)],
        ["requests for what had been answered, under the same key", figure(verdict.repeats)],
        ["missing, under a second key, damaged, or retried for nothing", figure(failures.length)],
      ],
    ),
    "",
    `  The router was back after ${figure(median(backMs))} ms in the median, ${figure(Math.max(0, ...backMs))} at most.`,
    `  Every delivery had ended after ${figure(endedMs / 1_000, 1)} s, the failed ones were delivered ${figure(retriedMs / 1_000, 1)} s after the receiver was healed; seed ${options.seed}.`,
    `  ${now.toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, ${system}, ${Object.entries(
      versions,
    )
      .map(([name, version]) => `${name} ${version.replace(/^v/, "")}`)
      .join(", ")}.`,
    ...failures.slice(0, FAILURES_SHOWN_MAX).map((line) => `  FAILED: ${line}`),
    "",
    fanOutClosingLine(outcome),
  ].join("\n");
}

export const fanOutClosingLine = ({ verdict, backMs, failures }: FanOutCrashOutcome): string =>
  `${verdict.arrived} elements delivered, ${verdict.retried} of them retried, ${verdict.repeats} repeats, ` +
  `${backMs.length} kills, ${failures.length} violations`;
