/** The settings of the consumers; `test/tidy` compares them with wrangler.toml. */
import { describe, expect, it } from "vitest";
import { QUEUES } from "../../src/core/priority.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";

const { critical, normal, bulk, replay } = CONSUMER_SETTINGS;

describe("consumer settings", () => {
  it("stand for every queue, within what Cloudflare Queues takes", () => {
    expect(Object.keys(CONSUMER_SETTINGS)).toEqual([...QUEUES]);
    for (const settings of Object.values(CONSUMER_SETTINGS)) {
      expect(settings.maxBatchSize).toBeLessThanOrEqual(100);
      expect(settings.maxBatchTimeout).toBeLessThanOrEqual(60);
      expect(settings.maxRetries).toBeLessThanOrEqual(100);
      expect(settings.maxConcurrency).toBeLessThanOrEqual(250);
    }
  });

  it("never let the urgent wait for company, nor behind a larger batch than the less urgent", () => {
    expect(critical.maxBatchTimeout).toBe(0);
    expect(critical.maxBatchSize).toBeLessThan(normal.maxBatchSize);
    expect(normal.maxBatchSize).toBeLessThan(bulk.maxBatchSize);
    expect(critical.maxConcurrency).toBeGreaterThan(normal.maxConcurrency);
    expect(normal.maxConcurrency).toBeGreaterThan(bulk.maxConcurrency);
    expect(bulk.maxConcurrency).toBeGreaterThan(replay.maxConcurrency);
  });
});
