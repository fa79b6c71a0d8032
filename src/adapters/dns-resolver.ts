/** Names looked up over HTTPS: a resolver that answers in JSON, as 1.1.1.1 and 8.8.8.8 do. */

import { DNS_ANSWER_BYTES_MAX, DNS_TIMEOUT_MS } from "../core/deliver/limits.ts";
import {
  ADDRESS_RECORDS,
  type AddressRecord,
  bothOf,
  type Resolved,
  readResolution,
} from "../core/deliver/resolution.ts";
import { Retryable } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import type { Meter } from "../ports/meter.ts";
import type { Resolver } from "../ports/resolver.ts";
import { firstText } from "./answer-text.ts";

/** An object, a list, a record: nothing else is nested in it. */
const ANSWER_DEPTH_MAX = 10;

export function createResolver(resolverUrl: string, meter: Meter): Resolver {
  async function ask(name: string, record: AddressRecord): Promise<Resolved> {
    const url = new URL(resolverUrl);
    url.searchParams.set("name", name);
    url.searchParams.set("type", record);
    meter.add("dns_lookups");
    const response = await fetch(url, {
      headers: { accept: "application/dns-json" },
      redirect: "manual",
      signal: AbortSignal.timeout(DNS_TIMEOUT_MS),
    });
    const text = await firstText(response, DNS_ANSWER_BYTES_MAX);
    if (response.status !== 200) throw new Retryable(`the resolver answered ${response.status}`);
    const read = parseJson(text, { depthMax: ANSWER_DEPTH_MAX });
    const resolved = read.ok ? readResolution(record, read.value) : null;
    if (resolved === null) throw new Retryable("the resolver's answer is not whole");
    return resolved;
  }

  const [first, second] = Object.keys(ADDRESS_RECORDS) as [AddressRecord, AddressRecord];
  return {
    // One after the other: an invocation has six connections, which are the deliveries'.
    resolve: async (name) => bothOf(await ask(name, first), await ask(name, second)),
  };
}
