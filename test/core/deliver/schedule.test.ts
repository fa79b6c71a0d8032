/** Side by side, but nobody takes every place: bounds, turns and order, under any schedule. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mapWithin } from "../../../src/core/deliver/schedule.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

interface Task {
  readonly name: number;
  readonly key: string;
  readonly lastsMs: number;
}

interface Moment {
  readonly started: Task;
  readonly running: readonly Task[];
  /** Keys that have tasks waiting when this one starts, its own left out. */
  readonly othersWait: boolean;
}

const tasks: fc.Arbitrary<Task[]> = fc
  .array(fc.record({ key: fc.constantFrom("a", "b", "c"), lastsMs: fc.nat({ max: 50 }) }), {
    maxLength: 30,
  })
  .map((each) => each.map((task, name) => ({ ...task, name })));
const places = fc.record({
  total: fc.integer({ min: 1, max: 6 }),
  perKey: fc.integer({ min: 1, max: 6 }),
});

/** What ran beside what, at each start. */
async function run(
  all: readonly Task[],
  within: { total: number; perKey: number },
): Promise<Moment[]> {
  const clock = createFakeClock(0);
  const waiting = new Set(all);
  const running = new Set<Task>();
  const moments: Moment[] = [];
  const work = mapWithin(
    all,
    within,
    ({ key }) => key,
    async (task) => {
      waiting.delete(task);
      running.add(task);
      const othersWait = [...waiting].some(({ key }) => key !== task.key);
      moments.push({ started: task, running: [...running], othersWait });
      await clock.timer(task.lastsMs).elapsed;
      running.delete(task);
    },
  );
  await clock.run(work);
  expect(running.size).toBe(0);
  return moments;
}

describe("tasks", () => {
  it("all run, once each, and the work ends after the last", async () => {
    await fc.assert(
      fc.asyncProperty(tasks, places, async (all, within) => {
        const started = (await run(all, within)).map(({ started: { name } }) => name);
        expect(started.toSorted((a, b) => a - b)).toEqual(all.map(({ name }) => name));
      }),
    );
  });

  it("never run more at once than there are places", async () => {
    await fc.assert(
      fc.asyncProperty(tasks, places, async (all, within) => {
        const most = (await run(all, within)).map(({ running }) => running.length);
        expect(Math.max(0, ...most)).toBeLessThanOrEqual(within.total);
      }),
    );
  });

  it("of one key never take more than their share while another key waits", async () => {
    await fc.assert(
      fc.asyncProperty(tasks, places, async (all, within) => {
        for (const { started, running, othersWait } of await run(all, within)) {
          if (!othersWait) continue;
          const ofKey = running.filter(({ key }) => key === started.key);
          expect(ofKey.length).toBeLessThanOrEqual(within.perKey);
        }
      }),
    );
  });

  it("of one key start in their order", async () => {
    await fc.assert(
      fc.asyncProperty(tasks, places, async (all, within) => {
        const moments = await run(all, within);
        for (const key of ["a", "b", "c"]) {
          const names = moments.flatMap(({ started }) =>
            started.key === key ? [started.name] : [],
          );
          expect(names).toEqual(names.toSorted((a, b) => a - b));
        }
      }),
    );
  });

  it("of a key that is alone take every place", async () => {
    const all = Array.from({ length: 12 }, (_, name) => ({ name, key: "a", lastsMs: 10 }));
    const moments = await run(all, { total: 6, perKey: 2 });
    expect(Math.max(...moments.map(({ running }) => running.length))).toBe(6);
  });

  it("of a slow target leave places to a quick one", async () => {
    const slow = Array.from({ length: 20 }, (_, name) => ({ name, key: "slow", lastsMs: 15_000 }));
    const quick = Array.from({ length: 20 }, (_, at) => ({
      name: 20 + at,
      key: "quick",
      lastsMs: 1,
    }));
    const moments = await run([...slow, ...quick], { total: 6, perKey: 4 });
    const before = moments.findIndex(({ started }) => started === quick.at(-1));
    const slowOnes = moments.slice(0, before).filter(({ started }) => started.key === "slow");
    expect(slowOnes.length).toBeLessThanOrEqual(4);
  });

  it("of keys that have their share wait for one of them to end, and for no timer", async () => {
    const clock = createFakeClock(0);
    let timers = 0;
    const limit = { max: 6, waitMs: () => 0, take() {} };
    const work = mapWithin(
      [..."aaabbb"],
      { total: 6, perKey: 1 },
      (key) => key,
      () => clock.timer(50).elapsed,
      {
        of: () => limit,
        pending: () => null,
        timer(ms) {
          timers += 1;
          return clock.timer(ms);
        },
      },
    );
    expect(await clock.run(work)).toEqual([]);
    expect(timers).toBe(0);
  });

  it("whose limits are still asked for hold up no others, and begin when they are known", async () => {
    const clock = createFakeClock(0);
    const starts: Record<string, number> = {};
    const known = clock.timer(700).elapsed;
    let isKnown = false;
    void known.then(() => {
      isKnown = true;
    });
    const shut = { max: 0, waitMs: () => null, take() {} };
    const work = mapWithin(
      ["asked", "free", "shut"],
      { total: 3, perKey: 3 },
      (key) => key,
      async (key) => {
        starts[key] = clock.nowMs();
      },
      {
        of: (key) => (key === "shut" || (key === "asked" && !isKnown) ? shut : undefined),
        pending: () => (isKnown ? null : known),
        timer: (ms) => clock.timer(ms),
      },
    );
    expect(await clock.run(work)).toEqual(["shut"]);
    expect(starts).toEqual({ free: 0, asked: 700 });
  });

  describe("of several groups", () => {
    interface Grouped extends Task {
      readonly group: string;
    }

    /** Groups of what ran at each start, and those of what waited. */
    async function runGroups(all: readonly Grouped[], total: number) {
      const clock = createFakeClock(0);
      const waiting = new Set(all);
      const running = new Set<Grouped>();
      const starts: { of: Grouped; running: Grouped[]; waiting: Grouped[] }[] = [];
      const work = mapWithin(
        all,
        { total, perKey: total },
        ({ group, key }) => `${group}/${key}`,
        async (task) => {
          starts.push({ of: task, running: [...running], waiting: [...waiting] });
          waiting.delete(task);
          running.add(task);
          await clock.timer(task.lastsMs).elapsed;
          running.delete(task);
        },
        null,
        ({ group }) => group,
      );
      await clock.run(work);
      return starts;
    }

    const grouped: fc.Arbitrary<Grouped[]> = fc
      .array(
        fc.record({
          group: fc.constantFrom("g", "h", "i"),
          key: fc.constantFrom("a", "b", "c", "d"),
          lastsMs: fc.nat({ max: 50 }),
        }),
        { maxLength: 40 },
      )
      .map((each) => each.map((task, name) => ({ ...task, name })));

    it("begin for a group with the fewest running of those that wait, and then a key of it with the fewest", async () => {
      await fc.assert(
        fc.asyncProperty(grouped, fc.integer({ min: 1, max: 6 }), async (all, total) => {
          const starts = await runGroups(all, total);
          expect(starts).toHaveLength(all.length);
          for (const { of, running, waiting } of starts) {
            const ofGroup = (group: string) =>
              running.filter((each) => each.group === group).length;
            const fewest = Math.min(...waiting.map(({ group }) => ofGroup(group)));
            expect(ofGroup(of.group)).toBe(fewest);
            const ofKey = ({ group, key }: Grouped) =>
              running.filter((each) => each.group === group && each.key === key).length;
            const own = waiting.filter(({ group }) => group === of.group);
            expect(ofKey(of)).toBe(Math.min(...own.map(ofKey)));
          }
        }),
      );
    });

    it("give a neighbour with one key its turn, however many keys another has and however few places there are", async () => {
      const loud = Array.from({ length: 200 }, (_, name): Grouped => {
        return { name, group: "loud", key: `${name % 50}`, lastsMs: 10 };
      });
      const quiet = Array.from({ length: 10 }, (_, at): Grouped => {
        return { name: 200 + at, group: "quiet", key: "a", lastsMs: 10 };
      });
      for (const total of [1, 6]) {
        const groups = (await runGroups([...loud, ...quiet], total)).map(({ of }) => of.group);
        expect(groups.lastIndexOf("quiet")).toBeLessThanOrEqual(2 * quiet.length);
      }
    });
  });

  it("that are none end at once", async () => {
    expect(await run([], { total: 6, perKey: 4 })).toEqual([]);
  });
});
