/** The matcher in a Worker: compiles a bank, and matches as many events as a request asks for. */
import { compileRules, parsePattern, type RuleSet } from "../../src/core/pattern/index.ts";
import { BANKS, cityLot } from "../city-lots.ts";

const EVENTS = 5_000;
const events = Array.from({ length: EVENTS }, (_, at) => cityLot(at * 37));
const sets = new Map<string, RuleSet>();

function setOf(name: string, count: number): RuleSet {
  const key = `${name} ${count}`;
  const known = sets.get(key);
  if (known !== undefined) return known;
  const bank = BANKS.find((each) => each.name === name);
  const set = compileRules(
    Array.from({ length: count }, (_, at) => {
      const parsed = parsePattern(bank?.pattern(at, count) ?? {});
      if (!parsed.ok) throw new Error(`${name} ${at} is no pattern.`);
      return { id: `rule-${at}`, pattern: parsed.pattern };
    }),
  );
  sets.set(key, set);
  return set;
}

export default {
  fetch(request: Request): Response {
    const { searchParams } = new URL(request.url);
    const set = setOf(searchParams.get("bank") ?? "", Number(searchParams.get("rules")));
    let matches = 0;
    const wanted = Number(searchParams.get("events"));
    for (let at = 0; at < wanted; at += 1) matches += set.match(events[at % EVENTS] ?? null).length;
    return Response.json({ matches });
  },
};
