/** Names derived as the program derives them, remembered, since a run asks for them again and again. */
import { platformCrypto, platformText } from "../../src/adapters/crypto.ts";
import { deliveryId, subscriptionHash } from "../../src/core/ids.ts";
import type { StreamCrypto } from "../../src/ports/stream-crypto.ts";

const digests = new Map<string, Uint8Array>();

/** The platform's, which hashes the few names of all runs once. */
export const rememberingCrypto: StreamCrypto = {
  ...platformCrypto,
  sha256(...parts) {
    const name = Buffer.concat(parts).toString("latin1");
    const known = digests.get(name) ?? platformCrypto.sha256(...parts);
    digests.set(name, known);
    return known;
  },
};

const hashes = new Map<string, string>();

/** The subscription of a rule and a target within an event. */
export function subscriptionOf(rule: string, target: string): string {
  const name = `${rule} ${target}`;
  let hash = hashes.get(name);
  if (hash === undefined) {
    hash = subscriptionHash({ rule, target }, platformCrypto, platformText);
    hashes.set(name, hash);
  }
  return hash;
}

/** The one id that every attempt of a delivery carries. */
export const webhookIdOf = (event: string, rule: string, target: string): string =>
  deliveryId(event, subscriptionOf(rule, target));
