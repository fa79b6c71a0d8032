/** The account of a crash run of sagas for a terminal: tables, where and when it was made, and one last line. */
import { machine } from "../../../bench/measure/machine.ts";
import { median } from "../../../bench/measure/statistics.ts";
import { figure, table } from "../../../bench/measure/table.ts";
import type { SagaCrashOutcome } from "./crash.ts";

const FAILURES_SHOWN_MAX = 20;

export function sagaReport(outcome: SagaCrashOutcome, now: Date): string {
  const { options, verdict, weather, backMs, openAtLast, drainMs, failures } = outcome;
  const { cpu, cores, system, versions } = machine();
  return [
    table(
      ["what became of the sagas", ""],
      [
        ["COMPLETED", figure(verdict.completed)],
        ["COMPENSATED", figure(verdict.compensated)],
        ["out of balance, twice, not ended, or in a person's hands", figure(failures.length)],
      ],
    ),
    "",
    table(
      ["requests to the participant", ""],
      [
        ["in all", figure(weather.requests)],
        ["… under a key that was answered before", figure(weather.known)],
        ["… dropped", figure(weather.dropped)],
        ["… acted upon when nobody waited any more", figure(weather.late)],
        ["… acted upon, the answer lost", figure(weather.answersLost)],
      ],
    ),
    "",
    `  The router was back after ${figure(median(backMs))} ms in the median, ${figure(Math.max(0, ...backMs))} at most.`,
    `  ${figure(openAtLast)} sagas were under way after the last kill; the last ended ${figure(drainMs / 1_000, 1)} s later; seed ${options.seed}.`,
    `  ${now.toISOString().slice(0, 10)}, ${cpu}, ${cores} cores, ${system}, ${Object.entries(
      versions,
    )
      .map(([name, version]) => `${name} ${version.replace(/^v/, "")}`)
      .join(", ")}.`,
    ...failures.slice(0, FAILURES_SHOWN_MAX).map((line) => `  FAILED: ${line}`),
    "",
    sagaClosingLine(outcome),
  ].join("\n");
}

export const sagaClosingLine = ({ verdict, backMs, weather, failures }: SagaCrashOutcome): string =>
  `${verdict.completed + verdict.compensated} sagas ended, ${weather.known} repeated requests absorbed, ` +
  `${backMs.length} kills, ${failures.length} violations`;
