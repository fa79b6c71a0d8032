/** What a receiver's answer to a batch means for each delivery in it. */
import { type Answer, describe, failure, type Outcome, outcomeOf } from "../deliver/outcome.ts";
import type { RetryPolicy } from "../deliver/retry.ts";
import { isJsonArray, isJsonObject, type Json, parseJsonDocument } from "../json.ts";
import { BATCH_REASON_CHARS_MAX } from "./limits.ts";

export interface BatchedDelivery {
  /** By which a receiver may name it. */
  readonly names: readonly string[];
  /** Attempts since it was last owed anew, with this one. */
  readonly tries: number;
}

export interface BatchOutcome {
  /** In the order of the deliveries. */
  readonly outcomes: readonly Outcome[];
  /** What the receiver named that was not in the batch. */
  readonly strangers: number;
}

/**
 * 2xx delivers all but those that it names in `{ "failed": [ … ] }`; whatever else fails all. `isWhole`: the answer
 * was read to its end. `random` is in [0, 1), one for all: what failed together comes back together.
 */
export function batchOutcomes(
  answer: Answer,
  isWhole: boolean,
  deliveries: readonly BatchedDelivery[],
  policy: RetryPolicy,
  random: number,
): BatchOutcome {
  const isTaken = answer.kind === "response" && answer.status >= 200 && answer.status < 300;
  if (!isTaken) {
    const outcomes = deliveries.map(({ tries }) => outcomeOf(answer, tries, policy, random));
    return { outcomes, strangers: 0 };
  }
  const { retryAfterMs, body } = answer;
  const failed = (error: string, { tries }: BatchedDelivery): Outcome =>
    failure(error, tries, policy, random, retryAfterMs);
  // It may name some that failed, and which cannot be known: to send all of them again loses nothing.
  if (!isWhole && body.trimStart().startsWith("{")) {
    const error = `${describe(answer)}: its answer is too long, so that what failed is not known`;
    return { outcomes: deliveries.map((each) => failed(error, each)), strangers: 0 };
  }
  const named = failedIn(body);
  const known = new Set(deliveries.flatMap(({ names }) => names));
  const outcomes = deliveries.map((each): Outcome => {
    const name = each.names.find((one) => named.has(one));
    if (name === undefined) return { state: "delivered" };
    const reason = named.get(name) ?? "";
    return failed(`failed in its batch${reason === "" ? "" : `: ${reason}`}`, each);
  });
  return { outcomes, strangers: [...named.keys()].filter((name) => !known.has(name)).length };
}

/** Reasons by id; empty for any other body. */
function failedIn(body: string): ReadonlyMap<string, string> {
  const read = parseJsonDocument(body);
  const list = read.ok && isJsonObject(read.value) ? read.value.failed : undefined;
  if (list === undefined || !isJsonArray(list)) return new Map();
  return new Map(list.map(entryOf));
}

/** What names nothing stands for a stranger. */
function entryOf(entry: Json): [string, string] {
  if (typeof entry === "string") return [entry, ""];
  const { id, reason } = isJsonObject(entry) ? entry : { id: "", reason: "" };
  const why = typeof reason === "string" ? reason.slice(0, BATCH_REASON_CHARS_MAX) : "";
  return [typeof id === "string" ? id : "", why];
}
