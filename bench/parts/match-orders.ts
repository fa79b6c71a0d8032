/** What matching costs of a webhook as the other parts send it, beside reading it at all. */

import type { Json } from "../../src/core/json.ts";
import {
  compileRules,
  matchesPattern,
  type Pattern,
  parsePattern,
} from "../../src/core/pattern/index.ts";
import { cpuMs } from "../measure/cpu.ts";
import { figure, table } from "../measure/table.ts";
import { type Options, progress, type Report } from "../part.ts";
import { type BenchRule, KINDS, order, rules } from "../workload.ts";

/** A part of the report. */
export type Measured = Pick<Report, "text" | "data">;

const COUNTS = [5, 100, 1_000];

/** One way to treat an event; answers something that depends on all of it, so that none is left out. */
interface Contender {
  readonly name: string;
  treat(at: number): number;
  readonly usPerEvent: number[];
}

export function measureOrders({ quick }: Pick<Options, "quick">): Measured {
  progress("match: orders");
  const texts = KINDS.map(order);
  const events = texts.map((text): Json => ({ type: "order", data: JSON.parse(text) }));
  const eventAt = (at: number): Json => events[at % events.length] ?? null;
  const contenders: Contender[] = [
    contender(
      "JSON.parse of the body",
      (at) => Object.keys(JSON.parse(texts[at % 3] ?? "")).length,
    ),
    ...COUNTS.flatMap((count) => {
      const patterns = compiled(rules(count));
      const set = compileRules(patterns);
      return [
        contender(`compiled, ${figure(count)} rules`, (at) => set.match(eventAt(at)).length),
        contender(`one by one, ${figure(count)} rules`, (at) => {
          const event = eventAt(at);
          return patterns.filter(({ pattern }) => matchesPattern(pattern, event)).length;
        }),
      ];
    }),
  ];
  const rounds = quick ? 5 : 15;
  for (let round = -2; round < rounds; round += 1) {
    for (const one of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const us = timePerEvent(one, quick ? 20 : 40);
      if (round >= 0) one.usPerEvent.push(us); // the rounds before let the compiler do its work
    }
  }
  const compileMs = timeCompiling(rules(1_000));
  const data = {
    usPerEvent: Object.fromEntries(contenders.map((one) => [one.name, least(one)])),
    compileMsPer1000Rules: compileMs,
  };
  return { text: textOf(contenders, compileMs), data };
}

const contender = (name: string, treat: Contender["treat"]): Contender => ({
  name,
  treat,
  usPerEvent: [],
});

/** Other work on the machine only adds. */
const least = ({ usPerEvent }: Contender): number => Math.min(...usPerEvent);

function compiled(given: readonly BenchRule[]): { id: string; pattern: Pattern }[] {
  return given.map(({ id, pattern }) => {
    const parsed = parsePattern(pattern);
    if (!parsed.ok) throw new Error(`${id} is no pattern.`);
    return { id, pattern: parsed.pattern };
  });
}

/** Of a run of at least `ms`. */
function timePerEvent({ name, treat }: Contender, ms: number): number {
  const start = cpuMs();
  let treated = 0;
  let matches = 0;
  while (cpuMs() - start < ms) {
    for (let more = 0; more < 16; more += 1, treated += 1) matches += treat(treated);
  }
  const elapsedMs = cpuMs() - start;
  if (matches < treated) throw new Error(`${name}: an event matched nothing.`);
  return (elapsedMs * 1_000) / treated;
}

function timeCompiling(given: readonly BenchRule[]): number {
  const times = Array.from({ length: 5 }, () => {
    const start = cpuMs();
    compileRules(compiled(given));
    return cpuMs() - start;
  });
  return Math.min(...times);
}

function textOf(contenders: readonly Contender[], compileMs: number): string[] {
  const parsing = contenders[0] === undefined ? Number.NaN : least(contenders[0]);
  return [
    table(
      ["1 KB order, one rule matches", "µs an event", "events/s", "× JSON.parse"],
      contenders.map((one) => {
        const us = least(one);
        return [one.name, figure(us, 2), figure(1e6 / us), figure(us / parsing, 2)];
      }),
    ),
    `Least of the rounds, by CPU time, in Node, one thread. Parsing and compiling 1,000 rules: ${figure(compileMs, 1)} ms.`,
  ];
}
