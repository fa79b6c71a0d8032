/**
 * The guard of every way out: an address is judged as it is written, then by what its name stands for.
 * What was found out about a name holds for as long as its records say, and not for longer than a minute.
 */

import { DNS_NAMES_MAX, DNS_TIMEOUT_MS, DNS_TTL_SECONDS_MAX } from "../core/deliver/limits.ts";
import {
  type AddressPolicy,
  bareHost,
  isName,
  refusedAddress,
  refusedResolution,
} from "../core/deliver/target-url.ts";
import { Retryable } from "../core/errors.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { AddressGuard, AddressVerdict } from "../ports/guard.ts";
import type { Resolver } from "../ports/resolver.ts";

interface Known {
  readonly verdict: AddressVerdict;
  readonly sinceMs: number;
  readonly forMs: number;
}

const ALLOWED: AddressVerdict = { kind: "allowed" };

/** Without a resolver an address is judged as it is written. */
export function createAddressGuard(
  policy: AddressPolicy,
  resolver: Resolver | null,
  clock: Clock,
): AddressGuard {
  const names = new Map<string, Known>();

  async function lookUp(name: string, from: Resolver): Promise<AddressVerdict> {
    const known = names.get(name);
    const ageMs = known === undefined ? -1 : clock.nowMs() - known.sinceMs;
    if (known !== undefined && ageMs >= 0 && ageMs < known.forMs) return known.verdict;
    names.delete(name);
    const late = () => new Retryable("the resolver did not answer in time");
    const sinceMs = clock.nowMs();
    const resolution = await within(from.resolve(name), DNS_TIMEOUT_MS, clock, late);
    const { addresses, ttlSeconds } = resolution;
    if (addresses.length === 0) return { kind: "unresolved", detail: "the name has no address" };
    const detail = addresses.map(refusedResolution).find((refused) => refused !== null);
    const verdict: AddressVerdict =
      detail === undefined || detail === null ? ALLOWED : { kind: "refused", detail };
    names.set(name, { verdict, sinceMs, forMs: 1_000 * Math.min(ttlSeconds, DNS_TTL_SECONDS_MAX) });
    const oldest = names.keys().next().value;
    if (names.size > DNS_NAMES_MAX && oldest !== undefined) names.delete(oldest);
    return verdict;
  }

  return {
    async check(text) {
      const url = URL.canParse(text) ? new URL(text) : null;
      const refused = refusedAddress(url, policy);
      if (refused !== null) return { kind: "refused", detail: refused };
      const host = bareHost(url?.hostname ?? "");
      if (resolver === null || policy.allowPrivate || !isName(host)) return ALLOWED;
      try {
        return await lookUp(host, resolver);
      } catch {
        return { kind: "unknown", detail: "its name could not be looked up" };
      }
    },
  };
}
