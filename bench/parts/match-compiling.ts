/** 100,000 rules of three fields, and more to them: how long it takes, and what they keep in memory. */
import { type ChangingRuleSet, compileRules, type Pattern } from "../../src/core/pattern/index.ts";
import { BANKS, ruleOf, rulesOf } from "../city-lots.ts";
import { cpuMs } from "../measure/cpu.ts";
import { heapMb } from "../measure/heap.ts";

export interface Compiled {
  readonly parseMs: number;
  readonly compileMs: number;
  readonly heapMb: number;
  readonly patternsMb: number;
  readonly addUs: number;
}

const COUNT = 100_000;
const BATCH = 1_000;

function measure(): Compiled {
  const bank = BANKS.find(({ name }) => name === "ROUTER");
  if (bank === undefined) throw new Error("There is no ROUTER.");
  // Batch by batch, so that what was written counts neither as time nor as memory.
  const empty = heapMb();
  let parseMs = 0;
  const rules: { id: string; pattern: Pattern }[] = [];
  for (let from = 0; from < COUNT; from += BATCH) {
    const written = Array.from({ length: BATCH }, (_, at) => bank.pattern(from + at, COUNT));
    const start = cpuMs();
    for (const pattern of written) rules.push(ruleOf(rules.length, pattern));
    parseMs += cpuMs() - start;
  }
  const before = heapMb();
  let best = Number.POSITIVE_INFINITY;
  let set: ChangingRuleSet = compileRules([]);
  for (let times = 0; times < 3; times += 1) {
    const start = cpuMs();
    set = compileRules(rules);
    best = Math.min(best, cpuMs() - start);
  }
  const heap = heapMb() - before;
  const more = rulesOf(bank, COUNT + 2_000).slice(COUNT);
  const start = cpuMs();
  for (const { id, pattern } of more) set.set(id, pattern);
  const addUs = ((cpuMs() - start) * 1_000) / more.length;
  return { parseMs, compileMs: best, heapMb: heap, patternsMb: before - empty, addUs };
}

console.log(JSON.stringify(measure()));
