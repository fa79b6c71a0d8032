/**
 * The group commit under random schedules: items come at any time, commits last any time and
 * succeed, fail or never answer. A commit that never answers stands for a request that has died:
 * whoever led it is gone, and nobody else may suffer from that.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createGroupCommit } from "../../../src/core/enqueue/group-commit.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const BYTES_MAX = 100;
const STALL_MS = 50;
const ABANDON_MS = 400;

interface Item {
  readonly name: number;
  readonly bytes: number;
}

interface Arrival {
  readonly afterMs: number;
  readonly bytes: number;
}

type Fate = { readonly lastsMs: number; readonly ends: "durable" | "failed" | "never" };

/** What the options leave open. */
type More = { readonly gatherMs?: number };

interface Run {
  readonly commits: {
    readonly items: readonly Item[];
    readonly fate: Fate;
    readonly atMs: number;
  }[];
  /** What became of each item, in the order in which they ended. */
  readonly ended: { readonly item: Item; readonly reason: unknown }[];
  readonly items: readonly Item[];
}

const arrival: fc.Arbitrary<Arrival> = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.nat({ max: 120 })),
  bytes: fc.integer({ min: 1, max: 130 }),
});
const fate = (...ends: readonly Fate["ends"][]): fc.Arbitrary<Fate> =>
  fc.record({ lastsMs: fc.nat({ max: 300 }), ends: fc.constantFrom(...ends) });
const arrivals = fc.array(arrival, { minLength: 1, maxLength: 25 });
const more: fc.Arbitrary<More> = fc.record({ gatherMs: fc.nat({ max: 20 }) }, { requiredKeys: [] });

/** Lets everything happen; the fates are dealt out in turn, and again from the first. */
async function run(
  schedule: readonly Arrival[],
  fates: readonly Fate[],
  more: More = {},
): Promise<Run> {
  const clock = createFakeClock(0);
  const commits: Run["commits"] = [];
  const ended: Run["ended"] = [];
  const group = createGroupCommit<Item>({
    async commit(items) {
      const fate = fates[commits.length % fates.length] ?? { lastsMs: 0, ends: "durable" };
      commits.push({ items, fate, atMs: clock.nowMs() });
      if (fate.ends === "never") await new Promise(() => {});
      await clock.timer(fate.lastsMs).elapsed;
      if (fate.ends === "failed") throw commits.length;
    },
    sizeOf: (item) => item.bytes,
    bytesMax: BYTES_MAX,
    inFlightMax: 3,
    stallMs: STALL_MS,
    abandonMs: ABANDON_MS,
    nowMs: () => clock.nowMs(),
    timer: (ms) => clock.timer(ms),
    ...more,
  });
  const items: Item[] = [];
  for (const [name, { afterMs, bytes }] of schedule.entries()) {
    await clock.advance(afterMs);
    const item = { name, bytes };
    items.push(item);
    group.add(item).then(
      () => ended.push({ item, reason: null }),
      (reason: unknown) => ended.push({ item, reason }),
    );
  }
  await clock.advance(100 * ABANDON_MS);
  return { commits, ended, items };
}

describe("under any schedule", () => {
  it("every item ends once, as a commit that held it did", async () => {
    const fates = fc.array(fate("durable", "failed"), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(arrivals, fates, more, async (schedule, dealt, how) => {
        const { commits, ended, items } = await run(schedule, dealt, how);
        expect(ended.map(({ item }) => item.name).toSorted((a, b) => a - b)).toEqual(
          items.map(({ name }) => name),
        );
        for (const { item, reason } of ended) {
          const held = commits.filter((commit) => commit.items.includes(item));
          const wanted = reason === null ? "durable" : "failed";
          expect(held.some((commit) => commit.fate.ends === wanted)).toBe(true);
        }
      }),
    );
  });

  it("an item that is said to be durable was in a commit that succeeded, whoever dies", async () => {
    const fates = fc.array(fate("durable", "failed", "never"), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(arrivals, fates, more, async (schedule, dealt, how) => {
        const { commits, ended } = await run(schedule, dealt, how);
        for (const { item } of ended.filter(({ reason }) => reason === null)) {
          const held = commits.filter((commit) => commit.items.includes(item));
          expect(held.some((commit) => commit.fate.ends === "durable")).toBe(true);
        }
      }),
    );
  });

  it("only who led a commit that never answers is left without an answer", async () => {
    const fates = fc
      .array(fate("durable", "failed", "never"), { minLength: 1, maxLength: 8 })
      .filter((dealt) => dealt.some(({ ends }) => ends !== "never"));
    await fc.assert(
      fc.asyncProperty(arrivals, fates, more, async (schedule, dealt, how) => {
        const { commits, ended, items } = await run(schedule, dealt, how);
        const dead = commits.filter((commit) => commit.fate.ends === "never").length;
        expect(items.length - ended.length).toBeLessThanOrEqual(dead);
      }),
    );
  });

  it("no commit is larger than the bound, except one item alone, and none holds an item twice", async () => {
    const fates = fc.array(fate("durable", "failed", "never"), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(arrivals, fates, more, async (schedule, dealt, how) => {
        const { commits } = await run(schedule, dealt, how);
        for (const { items } of commits) {
          const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
          expect(items.length === 1 || bytes <= BYTES_MAX).toBe(true);
          expect(new Set(items).size).toBe(items.length);
          expect(items.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it("an item is committed again only when it gave its first commit up", async () => {
    const fates = fc.array(fate("durable", "failed"), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(arrivals, fates, more, async (schedule, dealt, how) => {
        const { commits, items } = await run(schedule, dealt, how);
        // None of these lasts as long as abandonMs, so none is given up.
        for (const item of items) {
          expect(commits.filter((commit) => commit.items.includes(item))).toHaveLength(1);
        }
      }),
    );
  });

  it("an item that comes when nothing is in flight is committed at that moment", async () => {
    const lone = fc.array(
      fc.record({ afterMs: fc.integer({ min: 301, max: 400 }), bytes: fc.nat({ max: 130 }) }),
      { minLength: 1, maxLength: 10 },
    );
    const fates = fc.array(fate("durable", "failed"), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(lone, fates, more, async (schedule, dealt, how) => {
        const { commits } = await run(schedule, dealt, how);
        let nowMs = 0;
        const arrivedAt = schedule.map(({ afterMs }) => {
          nowMs += afterMs;
          return nowMs;
        });
        expect(commits.map(({ atMs }) => atMs)).toEqual(arrivedAt);
      }),
    );
  });
});
