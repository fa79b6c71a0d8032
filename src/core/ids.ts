/**
 * Derived ids: the same input gives the same id at every stage, so each stage can run again without
 * an index to ask. Only the receipt is new each time an event is accepted.
 */
import type { Crypto, Text } from "./crypto.ts";

/** Names that people give: of tenants, sources, targets and rules. */
export const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;
export const isSlug = (text: string): boolean => SLUG.test(text);

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base 32: no i, l, o, u

/** Lower-case base 32 without padding: 16 bytes give 26 characters, 8 bytes give 13. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(buffer << (5 - bits)) & 31];
}

/** Hash of several texts, each preceded by its length, so that no two lists of texts collide. */
function hashOf(parts: readonly string[], crypto: Crypto, text: Text): Uint8Array {
  const joined = parts.map((part) => `${text.encode(part).length}:${part};`).join("");
  return crypto.sha256(text.encode(joined));
}

/** `evt_` and the first 16 bytes of SHA-256(tenant, source, idempotency key). */
export function eventId(
  identity: { tenant: string; source: string; key: string },
  crypto: Crypto,
  text: Text,
): string {
  const hash = hashOf([identity.tenant, identity.source, identity.key], crypto, text);
  return `evt_${base32(hash.subarray(0, 16))}`;
}

/** 13 characters that name a rule bound to a target, within one event; others for each replay. */
export function subscriptionHash(
  { rule, target, replay }: { rule: string; target: string; replay?: string | undefined },
  crypto: Crypto,
  text: Text,
): string {
  const parts = replay === undefined ? [rule, target] : [rule, target, replay];
  return base32(hashOf(parts, crypto, text).subarray(0, 8));
}

/**
 * `dlv_`, the event's own characters and the subscription's hash: derived from (event, rule, target),
 * and the event can be read back from it without an index.
 */
export function deliveryId(event: string, subscription: string): string {
  return `dlv_${event.slice(4)}${subscription}`;
}

/** `bat_` and the first 16 bytes of the hash of a batch's deliveries, in any order. */
export function batchId(deliveries: readonly string[], crypto: Crypto, text: Text): string {
  return `bat_${base32(hashOf(deliveries.toSorted(), crypto, text).subarray(0, 16))}`;
}

export const SAGA_ID = /^sga_[0-9a-hjkmnp-tv-z]{26}$/;

/**
 * `sga_` and the first 16 bytes of SHA-256(tenant, saga, its creation, key): the same key is the same instance,
 * for as long as the saga, and so its tenant, is the same.
 */
export function sagaId(
  identity: { tenant: string; saga: string; createdAtMs: number; key: string },
  crypto: Crypto,
  text: Text,
): string {
  const { tenant, saga, createdAtMs, key } = identity;
  const hash = hashOf([tenant, saga, `${createdAtMs}`, key], crypto, text);
  return `sga_${base32(hash.subarray(0, 16))}`;
}

const DELIVERY_ID = /^dlv_([0-9a-z]{26})([0-9a-z]{13})$/;

/** The event and the subscription's hash of a delivery id, or null if it is none. */
export function parseDeliveryId(id: string): { event: string; subscription: string } | null {
  const match = DELIVERY_ID.exec(id);
  if (match?.[1] === undefined || match[2] === undefined) return null;
  return { event: `evt_${match[1]}`, subscription: match[2] };
}

/**
 * A UUIDv7 (RFC 9562 §5.7) in base 32: 48 bits of milliseconds, then randomness, so that later ones
 * sort after earlier ones. `random` is 10 fresh random bytes.
 */
export function timeOrderedId(prefix: string, nowMs: number, random: Uint8Array): string {
  const bytes = new Uint8Array(16);
  bytes.set(random.subarray(0, 10), 6);
  for (let index = 5, rest = nowMs; index >= 0; index -= 1, rest = Math.floor(rest / 256)) {
    bytes[index] = rest % 256;
  }
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return prefix + base32(bytes);
}
