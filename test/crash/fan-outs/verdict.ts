/**
 * What became of every element, from three witnesses: the list, the receiver's book, and the fan-out's own counts.
 * Pure, so that it can be shown to find what it looks for.
 */
import { CONNECTIONS_MAX, SETTLE_GROUP_MAX } from "../../../src/core/limits.ts";
import { elementOf, type FanOutCrashOptions, refusedOf } from "./plan.ts";

/** One request to the receiver, in the order in which they came. */
export interface Arrival {
  readonly index: number;
  readonly body: string;
  readonly event: string;
  readonly webhookId: string;
  readonly isRefused: boolean;
  /** It came after the failed ones were asked for once more. */
  readonly isRetry: boolean;
}

export interface Counts {
  readonly total: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
  readonly percent: number;
}

export interface FanOutFacts {
  readonly options: FanOutCrashOptions;
  readonly arrivals: readonly Arrival[];
  /** When all deliveries had ended, before the failed ones were retried, and after. */
  readonly before: Counts;
  readonly after: Counts;
  /** Deliveries that the retry took. */
  readonly redriven: number;
  readonly kills: number;
}

export interface FanOutVerdict {
  /** Elements that came, and requests for elements that had been answered 2xx before. */
  readonly arrived: number;
  readonly repeats: number;
  readonly refused: number;
  readonly retried: number;
  readonly faults: readonly string[];
}

/** What a batch has not written down when it dies: a group, and what is on its way. */
const REPEATS_PER_KILL_MAX = SETTLE_GROUP_MAX + CONNECTIONS_MAX;

export function fanOutVerdict(facts: FanOutFacts): FanOutVerdict {
  const { options, arrivals, before, after, redriven, kills } = facts;
  const { elements, seed } = options;
  const faults: string[] = [];
  const refused = new Set(refusedOf(options));
  const byIndex = Map.groupBy(arrivals, ({ index }) => index);
  let repeats = 0;
  const owners = new Map<string, number>();
  for (const [index, own] of byIndex) {
    const fail = (what: string): void => void faults.push(`element ${index} ${what}`);
    if (!(index >= 0 && index < elements)) fail("is none of the list");
    const expected = JSON.stringify(elementOf(seed, index));
    if (own.some(({ body }) => body !== expected)) fail("came with other bytes");
    for (const name of ["webhookId", "event"] as const) {
      const names = new Set(own.map((arrival) => arrival[name]));
      if (names.size > 1) fail(`came under ${names.size} names (${name})`);
    }
    const owner = owners.get(own[0]?.webhookId ?? "") ?? index;
    if (owner !== index) fail(`has the name of element ${owner}`);
    owners.set(own[0]?.webhookId ?? "", index);
    const taken = own.filter((arrival) => !arrival.isRefused);
    if (taken.length === 0) fail("was never taken");
    repeats += Math.max(0, taken.length - 1);
    const retries = own.filter(({ isRetry }) => isRetry).length;
    if (retries > 0 && !refused.has(index)) fail("was retried although it had not failed");
    if (retries === 0 && refused.has(index)) fail("failed and was not retried");
  }
  for (let index = 0; index < elements; index += 1) {
    if (!byIndex.has(index)) faults.push(`element ${index} never came`);
  }
  const repeatsMax = kills * REPEATS_PER_KILL_MAX;
  if (repeats > repeatsMax) faults.push(`${repeats} repeats of ${kills} kills`);
  const failed = refused.size;
  const common = { total: elements, sent: elements, percent: 100 };
  const expected = { before: { ...common, delivered: elements - failed, failed } };
  compare("before the retry", before, expected.before, faults);
  compare("after the retry", after, { ...common, delivered: elements, failed: 0 }, faults);
  if (redriven !== failed) faults.push(`${redriven} were retried of ${failed} that had failed`);
  const retried = new Set(arrivals.filter(({ isRetry }) => isRetry).map(({ index }) => index)).size;
  return { arrived: byIndex.size, repeats, refused: failed, retried, faults };
}

function compare(when: string, counts: Counts, expected: Counts, faults: string[]): void {
  for (const name of Object.keys(expected) as (keyof Counts)[]) {
    if (counts[name] === expected[name]) continue;
    faults.push(`${when} it says ${name} ${counts[name]} instead of ${expected[name]}`);
  }
}
