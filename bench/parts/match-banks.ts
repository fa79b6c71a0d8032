/** Banks of rules, each of one kind, from 5 to 100,000 of them, over city lots; and what was to be reached. */

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { JSON_DEPTH_MAX } from "../../src/core/ingest/limits.ts";
import { type Names, parseJson, parseNamedJson } from "../../src/core/json.ts";
import { compileRules, matchesPattern } from "../../src/core/pattern/index.ts";
import { BANKS, type Bank, cityLot, rulesOf } from "../city-lots.ts";
import { cpuMs } from "../measure/cpu.ts";
import { median } from "../measure/statistics.ts";
import { figure, table } from "../measure/table.ts";
import { type Options, progress } from "../part.ts";
import type { Compiled } from "./match-compiling.ts";
import type { Measured } from "./match-orders.ts";

const COUNTS = [5, 1_000, 10_000, 100_000] as const;
const EVENTS = 5_000;
/** One by one, more rules than this take longer than the answer is worth. */
const NAIVE_COUNT_MAX = 1_000;

interface Row {
  readonly bank: Bank;
  /** Events/s, by the number of rules. */
  readonly parsed: Map<number, number>;
  readonly text: Map<number, number>;
  readonly naive: Map<number, number>;
}

export function measureBanks({ quick }: Pick<Options, "quick">): Measured {
  const events = Array.from({ length: EVENTS }, (_, at) => cityLot(at * 37));
  const texts = events.map((event) => JSON.stringify(event));
  const bytes = texts.reduce((sum, text) => sum + text.length, 0) / EVENTS;
  const rate = (treat: (at: number) => number): number => eventsPerSecond(treat, quick);
  const eventAt = (at: number) => events[at % EVENTS] ?? {};
  const textAt = (at: number) => texts[at % EVENTS] ?? "";
  const parsing = rate((at) => Object.keys(JSON.parse(textAt(at))).length);
  const reading = rate((at) => (read(textAt(at)) === null ? 0 : 1));
  const rows = BANKS.map((bank): Row => {
    progress(`match: ${bank.name}`);
    const row: Row = { bank, parsed: new Map(), text: new Map(), naive: new Map() };
    for (const count of COUNTS) {
      if (bank.isBoundByOutput && count > 1_000) continue;
      const rules = rulesOf(bank, count);
      const set = compileRules(rules);
      row.parsed.set(
        count,
        rate((at) => set.match(eventAt(at)).length),
      );
      row.text.set(
        count,
        rate((at) => set.match(readNamed(textAt(at), set.names)).length),
      );
      if (count > NAIVE_COUNT_MAX) continue;
      const oneByOne = (at: number) =>
        rules.filter(({ pattern }) => matchesPattern(pattern, eventAt(at))).length;
      row.naive.set(count, rate(oneByOne));
    }
    return row;
  });
  const compiled = measureCompiling();
  return {
    text: textOf(rows, parsing, reading, bytes, compiled),
    data: {
      bytes,
      parsing,
      reading,
      compiled,
      rows: rows.map(({ bank, parsed, text, naive }) => ({
        bank: bank.name,
        parsed: Object.fromEntries(parsed),
        text: Object.fromEntries(text),
        naive: Object.fromEntries(naive),
      })),
    },
  };
}

function read(text: string) {
  const parsed = parseJson(text, { depthMax: JSON_DEPTH_MAX });
  return parsed.ok ? parsed.value : null;
}

/** As webhooks are read at ingest: what no rule looks at is skipped. */
function readNamed(text: string, names: Names) {
  const parsed = parseNamedJson(text, names, { depthMax: JSON_DEPTH_MAX });
  return parsed.ok ? parsed.value : null;
}

/** The median of several passes, after one that lets the compiler do its work. */
function eventsPerSecond(treat: (at: number) => number, quick: boolean): number {
  const passes = Array.from({ length: quick ? 3 : 6 }, () => pass(treat, quick ? 15 : 60));
  return median(passes.slice(1));
}

let sink = 0;

function pass(treat: (at: number) => number, ms: number): number {
  const start = cpuMs();
  let treated = 0;
  let elapsed = 0;
  // A slow one is looked at after every event, a fast one after many.
  for (let burst = 1; elapsed < ms; burst = Math.min(64, burst * 2)) {
    for (let more = 0; more < burst; more += 1, treated += 1) sink += treat(treated);
    elapsed = cpuMs() - start;
  }
  return (treated * 1_000) / elapsed;
}

/** In a process of its own: in this one, what the banks have in common is known and kept already. */
function measureCompiling(): Compiled {
  progress("match: compiling 100,000 rules");
  const file = fileURLToPath(new URL("./match-compiling.ts", import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8" }));
}

function textOf(
  rows: readonly Row[],
  parsing: number,
  reading: number,
  bytes: number,
  compiled: Compiled,
): string[] {
  const cells = (values: ReadonlyMap<number, number>, counts: readonly number[]) =>
    counts.map((count) => thousands(values.get(count)));
  const heads = COUNTS.map((count) => figure(count));
  return [
    table(
      ["city lots, parsed: 1,000 events/s", ...heads, "5 to 10,000", "one by one, 5", "1,000"],
      rows.map(({ bank, parsed, naive }) => [
        bank.name,
        ...cells(parsed, COUNTS),
        figure(factorOf(parsed), 1),
        ...cells(naive, [5, NAIVE_COUNT_MAX]),
      ]),
    ),
    table(
      ["city lots, from text: 1,000 events/s", ...heads],
      [
        ["JSON.parse alone", ...COUNTS.map(() => thousands(parsing))],
        ["our reading of all of it", ...COUNTS.map(() => thousands(reading))],
        ...rows.map(({ bank, text }) => [bank.name, ...cells(text, COUNTS)]),
      ],
    ),
    table(["to reach", "", "measured", ""], goalsOf(rows, parsing, compiled)),
    `Events of ${figure(bytes)} bytes, one thread, by CPU time, the median of the passes. "one by one": the matcher without an index.`,
  ];
}

const thousands = (perSecond: number | undefined): string =>
  perSecond === undefined
    ? "–"
    : figure(perSecond / 1_000, perSecond < 1_000 ? 3 : perSecond < 10_000 ? 1 : 0);

/** How much slower 10,000 rules are than 5. */
const factorOf = (rates: ReadonlyMap<number, number>): number =>
  (rates.get(5) ?? Number.NaN) / (rates.get(10_000) ?? Number.NaN);

function goalsOf(rows: readonly Row[], parsing: number, compiled: Compiled): string[][] {
  const router = rows.find(({ bank }) => bank.name === "ROUTER");
  const at = (count: number) => router?.parsed.get(count) ?? Number.NaN;
  const factors = rows.map(({ parsed }) => factorOf(parsed)).filter(Number.isFinite);
  const { parseMs, compileMs, heapMb: indexMb, patternsMb, addUs } = compiled;
  const fromText = (router?.text.get(1_000) ?? Number.NaN) / parsing;
  return [
    least("ROUTER, 1,000 rules", 1_000_000, at(1_000), "/s"),
    least("ROUTER, 10,000 rules", 500_000, at(10_000), "/s"),
    most("every bank, 5 to 10,000 rules: factor", 4, Math.max(...factors), "", 1),
    most("100,000 rules read and compiled", 1_500, parseMs + compileMs, " ms"),
    most("… in memory: the index", 100, indexMb, " MB"),
    most("… with the patterns (8-byte pointers)", 100, patternsMb + indexMb, " MB"),
    most("… one rule added to them", 100, addUs, " µs", 1),
    least("ROUTER from text, of JSON.parse alone", 0.8, fromText, "", 2),
  ];
}

type Goal = (
  name: string,
  wanted: number,
  value: number,
  unit: string,
  decimals?: number,
) => string[];

const least: Goal = (name, wanted, value, unit, decimals = 0) =>
  goal(
    name,
    `≥ ${figure(wanted, decimals)}${unit}`,
    `${figure(value, decimals)}${unit}`,
    value >= wanted,
  );
const most: Goal = (name, wanted, value, unit, decimals = 0) =>
  goal(
    name,
    `≤ ${figure(wanted, decimals)}${unit}`,
    `${figure(value, decimals)}${unit}`,
    value <= wanted,
  );

const goal = (name: string, wanted: string, value: string, isReached: boolean): string[] => [
  name,
  wanted,
  value,
  isReached ? "reached" : "missed",
];
