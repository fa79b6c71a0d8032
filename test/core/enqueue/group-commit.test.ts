/** The group commit: who commits what, when, and who pays for a failure. */
import { describe, expect, it } from "vitest";
import {
  createGroupCommit,
  type GroupCommit,
  type GroupCommitOptions,
} from "../../../src/core/enqueue/group-commit.ts";
import { createFakeClock, type FakeClock, idle } from "../../support/fake-clock.ts";

const STALL_MS = 100;
const ABANDON_MS = 1_000;

interface Call {
  readonly items: readonly string[];
  readonly atMs: number;
  succeed(): void;
  fail(reason: Error): void;
}

interface Setup {
  readonly clock: FakeClock;
  readonly group: GroupCommit<string>;
  /** Every call of `commit`; each hangs until the test ends it. */
  readonly calls: Call[];
  /** Adds an item; what became of it is in `ended`. */
  add(item: string): void;
  readonly ended: Map<string, "durable" | Error>;
}

function setUp(more: Partial<GroupCommitOptions<string>> = {}): Setup {
  const clock = createFakeClock(0);
  const calls: Call[] = [];
  const ended: Setup["ended"] = new Map();
  const group = createGroupCommit<string>({
    commit(items) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      calls.push({ items, atMs: clock.nowMs(), succeed: resolve, fail: reject });
      return promise;
    },
    sizeOf: (item) => item.length,
    bytesMax: 10,
    inFlightMax: 3,
    stallMs: STALL_MS,
    abandonMs: ABANDON_MS,
    nowMs: () => clock.nowMs(),
    timer: (ms) => clock.timer(ms),
    ...more,
  });
  const add = (item: string): void => {
    group.add(item).then(
      () => ended.set(item, "durable"),
      (reason: Error) => ended.set(item, reason),
    );
  };
  return { clock, group, calls, add, ended };
}

const itemsOf = (calls: readonly Call[]): string[] => calls.map(({ items }) => items.join());

describe("a lone item", () => {
  it("is committed at once, with no timer before it", () => {
    const { clock, calls, add } = setUp();
    add("a");
    expect(itemsOf(calls)).toEqual(["a"]);
    expect(clock.armed).toBe(0);
  });

  it("is durable when its commit is, and leaves no timer behind", async () => {
    const { clock, calls, add, ended } = setUp();
    add("a");
    await idle();
    expect(ended.size).toBe(0);
    calls[0]?.succeed();
    await idle();
    expect(ended.get("a")).toBe("durable");
    expect(clock.armed).toBe(0);
  });

  it("above the bound is committed alone", async () => {
    const { calls, add } = setUp();
    add("0123456789abcdef");
    expect(itemsOf(calls)).toEqual(["0123456789abcdef"]);
  });
});

describe("items that come during a commit", () => {
  it("go together with the next, as soon as the first has ended", async () => {
    const { calls, add, ended } = setUp();
    for (const item of ["a", "b", "c", "d"]) add(item);
    await idle();
    expect(itemsOf(calls)).toEqual(["a"]);
    calls[0]?.succeed();
    await idle();
    expect(itemsOf(calls)).toEqual(["a", "b,c,d"]);
    expect([...ended.keys()]).toEqual(["a"]);
    calls[1]?.succeed();
    await idle();
    expect([...ended.keys()]).toEqual(["a", "b", "c", "d"]);
  });

  it("wait for the next one when they do not fit", async () => {
    const { calls, add } = setUp();
    for (const item of ["a", "bbbb", "cccc", "dddd", "e"]) add(item);
    calls[0]?.succeed();
    await idle();
    calls[1]?.succeed();
    await idle();
    expect(itemsOf(calls)).toEqual(["a", "bbbb,cccc", "dddd,e"]);
  });

  it("go on when the first commit fails, which only its own items hear", async () => {
    const { calls, add, ended } = setUp();
    for (const item of ["a", "b", "c"]) add(item);
    const reason = new Error("no queue");
    calls[0]?.fail(reason);
    await idle();
    expect([...ended]).toEqual([["a", reason]]);
    calls[1]?.succeed();
    await idle();
    expect(ended.get("b")).toBe("durable");
    expect(ended.get("c")).toBe("durable");
  });

  it("all fail together when theirs does, each with its reason", async () => {
    const { calls, add, ended } = setUp();
    for (const item of ["a", "b", "c"]) add(item);
    calls[0]?.succeed();
    await idle();
    const reason = new Error("no queue");
    calls[1]?.fail(reason);
    await idle();
    expect([ended.get("b"), ended.get("c")]).toEqual([reason, reason]);
    expect(calls).toHaveLength(2);
  });

  it("hear of a commit that throws before it waits for anything", async () => {
    const { add, ended } = setUp({
      commit: () => {
        throw new Error("at once");
      },
    });
    add("a");
    await idle();
    expect(ended.get("a")).toEqual(new Error("at once"));
  });
});

describe("a commit that hangs", () => {
  it("stalls nobody for longer than stallMs", async () => {
    const { clock, calls, add } = setUp();
    add("a");
    add("b");
    add("c");
    await clock.advance(STALL_MS - 1);
    expect(itemsOf(calls)).toEqual(["a"]);
    await clock.advance(1);
    expect(itemsOf(calls)).toEqual(["a", "b,c"]);
  });

  it("is not waited for by an item that comes when it is stalled already", async () => {
    const { clock, calls, add } = setUp();
    add("a");
    await clock.advance(STALL_MS);
    add("b");
    expect(itemsOf(calls)).toEqual(["a", "b"]);
  });

  it("is given up by those it took along, abandonMs after they noticed: each commits itself", async () => {
    const { clock, calls, add, ended } = setUp();
    add("a");
    add("b");
    add("c");
    calls[0]?.succeed();
    await idle();
    expect(itemsOf(calls)).toEqual(["a", "b,c"]);
    await clock.advance(STALL_MS + ABANDON_MS - 1);
    expect(calls).toHaveLength(2);
    await clock.advance(1);
    expect(itemsOf(calls)).toEqual(["a", "b,c", "c"]); // b leads it, and waits for what it leads
    calls[2]?.succeed();
    await idle();
    expect(ended.get("c")).toBe("durable");
  });

  it("that fails after it was given up disturbs nobody", async () => {
    const { clock, calls, add, ended } = setUp();
    add("a");
    add("b");
    add("c");
    calls[0]?.succeed();
    await idle();
    await clock.advance(STALL_MS + ABANDON_MS);
    calls[2]?.succeed();
    await idle();
    calls[1]?.fail(new Error("late"));
    await idle();
    expect(ended.get("c")).toBe("durable");
    expect(ended.get("b")).toEqual(new Error("late"));
  });

  it("is joined by others only up to inFlightMax", async () => {
    const { clock, calls, add } = setUp();
    for (const item of ["a", "b", "c", "d"]) {
      add(item);
      await clock.advance(STALL_MS);
    }
    expect(itemsOf(calls)).toEqual(["a", "b", "c"]);
    calls[1]?.succeed();
    await idle();
    expect(itemsOf(calls)).toEqual(["a", "b", "c", "d"]);
  });

  it("frees its place after abandonMs: requests that died never block those that live", async () => {
    const { clock, calls, add, ended } = setUp();
    for (const item of ["a", "b", "c"]) {
      add(item); // and never answer: their requests have ended
      await clock.advance(STALL_MS);
    }
    add("d");
    await clock.advance(ABANDON_MS);
    expect(itemsOf(calls)).toEqual(["a", "b", "c", "d"]);
    calls[3]?.succeed();
    await idle();
    expect(ended.get("d")).toBe("durable");
  });
});

describe("with time to gather", () => {
  const GATHER_MS = 5;

  it("a lone item is still committed at once", () => {
    const { clock, calls, add } = setUp({ gatherMs: GATHER_MS });
    add("a");
    expect(itemsOf(calls)).toEqual(["a"]);
    expect(clock.armed).toBe(0);
  });

  it("one who is called waits that long for company, and no longer", async () => {
    const { clock, calls, add } = setUp({ gatherMs: GATHER_MS });
    add("a");
    add("b");
    calls[0]?.succeed();
    await clock.advance(GATHER_MS - 1);
    expect(itemsOf(calls)).toEqual(["a"]);
    await clock.advance(1);
    expect(itemsOf(calls)).toEqual(["a", "b"]);
  });

  it("who comes meanwhile is taken along, and commits nothing by itself", async () => {
    const { clock, calls, add, ended } = setUp({ gatherMs: GATHER_MS });
    add("a");
    add("b");
    calls[0]?.succeed();
    await clock.advance(1);
    add("c");
    expect(itemsOf(calls)).toEqual(["a"]);
    await clock.advance(GATHER_MS - 1);
    expect(itemsOf(calls)).toEqual(["a", "b,c"]);
    calls[1]?.succeed();
    await idle();
    expect([...ended.keys()].toSorted()).toEqual(["a", "b", "c"]);
  });

  it("who comes after that time leads at once, whether or not the gatherer still lives", async () => {
    const { clock, calls, add } = setUp({ gatherMs: GATHER_MS });
    add("a");
    add("b");
    calls[0]?.succeed();
    await clock.advance(GATHER_MS);
    calls[1]?.succeed();
    await idle();
    add("c");
    expect(itemsOf(calls)).toEqual(["a", "b", "c"]);
  });
});
