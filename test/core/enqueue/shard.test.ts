/** Which shard of the outbox takes a tenant's events. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shardOf } from "../../../src/core/enqueue/shard.ts";

const slug = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/);
const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Every shard that a tenant's events may go to. */
const shardsOf = (tenant: string, shards: number): Set<number> =>
  new Set(Array.from({ length: 100 }, (_, at) => shardOf(tenant, at / 100, shards)));

describe("a tenant's shard", () => {
  it("is one of those there are", () => {
    fc.assert(
      fc.property(slug, unit, fc.integer({ min: 1, max: 64 }), (tenant, chance, shards) => {
        const shard = shardOf(tenant, chance, shards);
        expect(Number.isInteger(shard) && shard >= 0 && shard < shards).toBe(true);
      }),
    );
  });

  it("is one of a few that are its own, so that no tenant fills all of them", () => {
    fc.assert(
      fc.property(slug, fc.integer({ min: 1, max: 64 }), (tenant, shards) => {
        expect(shardsOf(tenant, shards).size).toBe(Math.ceil(Math.sqrt(shards)));
      }),
    );
  });

  it("differs between tenants: of a hundred, none has a quarter of the others' shards all to itself", () => {
    const first = Array.from({ length: 100 }, (_, at) => shardOf(`tenant-${at}`, 0, 16));
    for (const count of Map.groupBy(first, (shard) => shard).values()) {
      expect(count.length).toBeLessThan(25);
    }
    expect(new Set(first).size).toBeGreaterThan(10);
  });
});
