/** Relations between limits that other code relies on. */
import { describe, expect, it } from "vitest";
import * as archiveLimits from "../../src/core/archive-limits.ts";
import * as deliverLimits from "../../src/core/deliver/limits.ts";
import * as gateLimits from "../../src/core/gate-limits.ts";
import * as limits from "../../src/core/limits.ts";
import * as operatorLimits from "../../src/core/operator-limits.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";

const all = { ...limits, ...gateLimits, ...archiveLimits, ...deliverLimits, ...operatorLimits };

describe("limits", () => {
  it("are positive whole numbers", () => {
    const entries = Object.entries(all);
    expect(entries.length).toBeGreaterThan(30);
    for (const [name, value] of entries) {
      expect([name, Number.isSafeInteger(value) && value > 0]).toEqual([name, true]);
    }
  });

  it("end in their unit or in what they bound", () => {
    for (const name of Object.keys(all)) {
      expect(name).toMatch(/_(MAX|MIN|DEFAULT|MS|SECONDS|PAGE)$/);
    }
  });

  it("let a pack pass as one billed chunk, and several in one call", () => {
    expect(limits.PACK_BYTES_MAX + 100).toBeLessThanOrEqual(64_000);
    expect(limits.QUEUE_BATCH_BYTES_MAX).toBeLessThanOrEqual(256_000);
    expect(limits.QUEUE_BATCH_BYTES_MAX).toBeGreaterThan(2 * limits.PACK_BYTES_MAX);
  });

  it("leave an attempt room within the lease, and a settle behind it", () => {
    expect(limits.ATTEMPT_TIMEOUT_MS_MAX + limits.LEASE_MARGIN_MS).toBeLessThan(
      limits.LEASE_SECONDS * 1_000,
    );
    expect(limits.ATTEMPT_TIMEOUT_MS_DEFAULT).toBeLessThanOrEqual(limits.ATTEMPT_TIMEOUT_MS_MAX);
  });

  it("do not send again what a consumer may still hold", () => {
    expect(limits.OUTBOX_RESEND_MS).toBeGreaterThan(limits.LEASE_SECONDS * 1_000);
    expect(limits.OUTBOX_RESEND_MS).toBeGreaterThan(limits.SWEEP_GRACE_MS);
  });

  it("have the next pass, a minute later, find what failed in one that took some seconds", () => {
    const laterMs = limits.SWEEP_FAILED_MS + limits.SWEEP_GRACE_MS;
    expect(laterMs).toBeLessThan(60_000 - 2 * limits.ARCHIVE_READ_TIMEOUT_MS);
  });

  it("let both stores fail before senders give up after five seconds", () => {
    const both = limits.QUEUE_SEND_TIMEOUT_MS + limits.OUTBOX_PUT_TIMEOUT_MS;
    expect(both + limits.LIMITER_TIMEOUT_MS).toBeLessThan(5_000);
  });

  it("leave connections to others beside one slow target", () => {
    expect(limits.CONNECTIONS_MAX).toBeLessThanOrEqual(6);
    expect(limits.CONNECTIONS_PER_TARGET_MAX).toBeLessThan(limits.CONNECTIONS_MAX);
  });

  it("keep what waits in memory for one settle below one batch", () => {
    expect(limits.SETTLE_GROUP_MAX).toBeLessThan(CONSUMER_SETTINGS.bulk.maxBatchSize);
  });

  it("keep a list's default within its bound, and a body's", () => {
    expect(limits.LIST_LIMIT_DEFAULT).toBeLessThanOrEqual(limits.LIST_LIMIT_MAX);
    expect(limits.BODY_BYTES_DEFAULT_MAX).toBeLessThanOrEqual(limits.BODY_BYTES_HARD_MAX);
  });
});
