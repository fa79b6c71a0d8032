/**
 * Stands in for the router's consumer where only its door is measured: acknowledges every message, and
 * strikes off the outbox what came from there, as the consumer does when it is done.
 */
export default {
  async queue(batch, env) {
    const rows = batch.messages.flatMap(({ body }) => originOf(new Uint8Array(body)));
    batch.ackAll();
    if (rows.length > 0) await env.OUTBOX_SHARD.getByName("shard-0").settled(rows);
  },
};

/** The outbox row that a pack's header names (src/core/enqueue/pack.ts). */
function originOf(pack) {
  const headerBytes = new DataView(pack.buffer, pack.byteOffset).getUint32(1);
  const { origin } = JSON.parse(new TextDecoder().decode(pack.subarray(5, 5 + headerBytes)));
  return origin === null ? [] : [origin.row];
}
