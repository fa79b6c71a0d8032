/** What is loaded on first use: once, by nobody before, and again after a failure. */
import { describe, expect, it } from "vitest";
import { onFirstCall, onFirstUse } from "../../src/core/first-use.ts";

/** Fails as often as it is told to, then gives what it was asked for the how-manieth time. */
function counted(failures: number) {
  let calls = 0;
  const load = async (): Promise<number> => {
    calls += 1;
    if (calls <= failures) throw new Error(`not loaded: ${calls}`);
    return calls;
  };
  return { load, calls: () => calls };
}

describe("what is loaded on first use", () => {
  it("is loaded once, however many ask at the same time", async () => {
    const { load, calls } = counted(0);
    const use = onFirstUse(load);
    expect(calls()).toBe(0);
    expect(await Promise.all([use(), use(), use()])).toEqual([1, 1, 1]);
    expect(await use()).toBe(1);
  });

  it("makes no promise any more once it is there", () => {
    const use = onFirstUse(counted(0).load);
    expect(use()).toBe(use());
  });

  it("fails with its own error for all who waited, and is tried again by whoever comes next", async () => {
    const use = onFirstUse(counted(1).load);
    const waiting = await Promise.allSettled([use(), use()]);
    expect(waiting.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await use()).toBe(2);
  });
});

describe("methods that are loaded with the first call of one", () => {
  const port = (factor: number) => ({
    times: async (number: number) => number * factor,
    minus: async (one: number, other: number) => one - other,
    other: () => "not asked for",
  });

  it("get what they are given and answer what the port answers", async () => {
    const { load, calls } = counted(0);
    const methods = onFirstCall(["times", "minus"], async () => port(await load()));
    expect(calls()).toBe(0);
    expect(await methods.times(7)).toBe(7);
    expect(await methods.minus(7, 3)).toBe(4);
    expect(calls()).toBe(1);
    expect(Object.keys(methods)).toEqual(["times", "minus"]);
  });

  it("refuse while the port cannot be loaded, and not for ever", async () => {
    const { load } = counted(1);
    const methods = onFirstCall(["times"], async () => port(await load()));
    await expect(methods.times(3)).rejects.toThrow("not loaded: 1");
    expect(await methods.times(3)).toBe(6);
  });

  it("call what they belong to", async () => {
    class Counter {
      #count = 0;
      async next(): Promise<number> {
        this.#count += 1;
        return this.#count;
      }
    }
    const methods = onFirstCall(["next"], async () => new Counter());
    expect([await methods.next(), await methods.next()]).toEqual([1, 2]);
  });
});
