/** Which shard of the outbox takes a tenant's events. */

/**
 * One of the √N shards (of N) that are the tenant's, by chance: a busy tenant is not bound to the speed
 * of one object, and one that fills its shards leaves most of them to others (shuffle sharding).
 * `unit` is in [0, 1).
 */
export function shardOf(tenant: string, unit: number, shards: number): number {
  const own = Math.ceil(Math.sqrt(shards));
  return (fnv1a(tenant) + Math.floor(unit * own)) % shards;
}

/** FNV-1a, 32 bits, over UTF-16 units: a slug has no others than ASCII (draft-eastlake-fnv). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
