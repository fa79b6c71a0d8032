/** Queues as the platform bounds them: what it would refuse, or break at, is refused before. */
import { beforeEach, describe, expect, it } from "vitest";
import { createQueues } from "../../src/adapters/queues.ts";
import { createMeter } from "../../src/adapters/system.ts";
import { DELAYED_MESSAGES_MAX, PACK_BYTES_MAX } from "../../src/core/limits.ts";
import type { Queues } from "../../src/ports/queues.ts";

let sent: { queue: string; count: number; delaySeconds: number | undefined }[];
let queues: Queues;

beforeEach(() => {
  sent = [];
  const queue = (name: string) =>
    ({
      async send(_: unknown, options: QueueSendOptions) {
        sent.push({ queue: name, count: 1, delaySeconds: options.delaySeconds });
      },
      async sendBatch(messages: Iterable<MessageSendRequest>) {
        const all = [...messages];
        sent.push({ queue: name, count: all.length, delaySeconds: all[0]?.delaySeconds });
      },
    }) as unknown as Queue<Uint8Array>;
  const bindings = {
    critical: queue("critical"),
    normal: queue("normal"),
    bulk: queue("bulk"),
    replay: queue("replay"),
  };
  queues = createQueues(bindings, createMeter());
});

const packs = (count: number, bytes = 10) =>
  Array.from({ length: count }, () => new Uint8Array(bytes));

describe("a queue", () => {
  it("takes messages in batches of at most 250 KB", async () => {
    await queues.send("normal", packs(9, PACK_BYTES_MAX));
    expect(sent.map(({ count }) => count)).toEqual([3, 3, 3]);
  });

  it("is never given a pack that is too big for a message", async () => {
    const send = queues.send("normal", packs(1, PACK_BYTES_MAX + 1));
    await expect(send).rejects.toMatchObject({ name: "Invariant" });
    expect(sent).toEqual([]);
  });

  it("refuses delayed messages beyond those that may wait, and still takes others", async () => {
    for (let at = 0; at < DELAYED_MESSAGES_MAX; at += 100) {
      await queues.send("normal", packs(100), 600);
    }
    sent = [];
    const send = queues.send("normal", packs(1), 600);
    await expect(send).rejects.toMatchObject({ name: "Retryable" });
    expect(sent).toEqual([]);
    await queues.send("normal", packs(1));
    await queues.send("critical", packs(1), 600);
    expect(sent).toMatchObject([
      { queue: "normal", delaySeconds: 0 },
      { queue: "critical", delaySeconds: 600 },
    ]);
  });
});
