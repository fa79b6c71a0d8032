/** The answer of a DNS-over-HTTPS resolver in JSON (`application/dns-json`), as far as it is believed. */
import { isJsonObject, type Json } from "../json.ts";

/** Record types (RFC 1035, RFC 3596) that say where a name leads. */
export const ADDRESS_RECORDS = { A: 1, AAAA: 28 } as const;
export type AddressRecord = keyof typeof ADDRESS_RECORDS;

export interface Resolved {
  /** As the resolver wrote them: whoever judges them reads them strictly. */
  readonly addresses: readonly string[];
  /** How long all of it holds: the shortest of every record on the way. */
  readonly ttlSeconds: number;
}

const NO_ERROR = 0;
const NO_SUCH_NAME = 3;
/** CNAME and DNAME: the way from one name to another. */
const ALIASES: readonly unknown[] = [5, 39];

/** Null when it is no whole answer to the question; a name without such records has an answer of none. */
export function readResolution(record: AddressRecord, answer: Json): Resolved | null {
  if (!isJsonObject(answer) || answer.TC === true) return null;
  if (answer.Status === NO_SUCH_NAME) return { addresses: [], ttlSeconds: 0 };
  if (answer.Status !== NO_ERROR) return null;
  const { Answer: records = [] } = answer;
  if (!Array.isArray(records)) return null;
  const addresses: string[] = [];
  let ttlSeconds = records.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  for (const each of records as readonly Json[]) {
    if (!isJsonObject(each)) return null;
    const { type, TTL, data } = each;
    if (typeof TTL !== "number" || !(TTL >= 0) || typeof data !== "string") return null;
    ttlSeconds = Math.min(ttlSeconds, TTL);
    if (type === ADDRESS_RECORDS[record]) addresses.push(data);
    // Of the way there only aliases are known; what else stands here is not passed over.
    else if (!ALIASES.includes(type)) return null;
  }
  return { addresses, ttlSeconds };
}

/** What a name stands for by both kinds of record; one of them may be missing. */
export function bothOf(first: Resolved, second: Resolved): Resolved {
  const found = [first, second].filter(({ addresses }) => addresses.length > 0);
  return {
    addresses: found.flatMap(({ addresses }) => addresses),
    ttlSeconds: found.length === 0 ? 0 : Math.min(...found.map(({ ttlSeconds }) => ttlSeconds)),
  };
}
