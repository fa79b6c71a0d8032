/** Settling in groups: who waits for company, for how long, and what is known to be unwritten. */
import { beforeEach, describe, expect, it } from "vitest";
import { SETTLE_GROUP_MAX, SETTLE_LINGER_MS } from "../../src/core/limits.ts";
import { createSettler, type Settler } from "../../src/flows/settle.ts";
import { keyOf } from "../../src/ports/claim.ts";
import type { DeliveryResult, Ledger } from "../../src/ports/ledger.ts";
import { idle } from "../support/fake-clock.ts";
import { createIsolate, createWorld, type World } from "../support/memory-router.ts";

let world: World;
/** Targets of each group that was written, in order. */
let written: string[][];
let refuse: (target: string) => boolean;
let failures: number;

beforeEach(() => {
  world = createWorld();
  written = [];
  refuse = () => false;
  failures = 0;
});

function settler(): Settler {
  const settle: Ledger["settle"] = async (_, results, duplicates) => {
    if (failures > 0) {
      failures -= 1;
      throw new Error("down");
    }
    const copies = duplicates.map(({ receipt }) => `copy ${receipt}`);
    written.push([...results.map(({ target }) => target), ...copies]);
    const refused = new Set(results.filter(({ target }) => refuse(target)).map(keyOf));
    return { refused, reopened: new Set() };
  };
  const broken = { ledger: { ...world.ledger, settle } };
  return createSettler("token", SETTLE_GROUP_MAX, createIsolate(world, { broken }).deliver);
}

const resultTo = (target: string): DeliveryResult => ({
  ...{ tenant: "acme", receivedAtMs: 0, event: "evt_1", source: "shop", type: "order" },
  ...{ subscription: target, rule: "orders", target, priority: "normal", state: "delivered" },
  ...{ attempts: 1, dueInMs: null, lastStatus: 200, lastError: null, attempt: null },
  claimedBy: "event",
});

/** A settler in groups of two, whose writes end when they are told to. */
function slowSettler(): { settling: Settler; write(): void } {
  const writing: (() => void)[] = [];
  const settle: Ledger["settle"] = () =>
    new Promise((resolve) =>
      writing.push(() => resolve({ refused: new Set(), reopened: new Set() })),
    );
  const broken = { ledger: { ...world.ledger, settle } };
  const settling = createSettler("token", 2, createIsolate(world, { broken }).deliver);
  return { settling, write: () => writing.shift()?.() };
}

const copy = { event: "evt_1", receipt: "rcp_2", receivedAtMs: 0, reason: "duplicate of rcp_1" };

describe("a result", () => {
  it("that is the last under way is written at once, with those that wait", async () => {
    const settling = settler();
    settling.add(resultTo("a"), false);
    settling.add(resultTo("b"), true);
    await idle();
    expect(written).toEqual([["a", "b"]]);
    expect(world.clock.armed).toBe(0);
  });

  it("waits for company while that keeps coming, and no longer", async () => {
    const settling = settler();
    settling.add(resultTo("a"), false);
    await world.clock.advance(SETTLE_LINGER_MS - 1);
    settling.add(resultTo("b"), false);
    await world.clock.advance(SETTLE_LINGER_MS - 1);
    expect(written).toEqual([]);
    await world.clock.advance(1);
    expect(written).toEqual([["a", "b"]]);
    settling.add(resultTo("c"), false);
    await world.clock.advance(SETTLE_LINGER_MS);
    expect(written).toEqual([["a", "b"], ["c"]]);
  });

  it("that makes the group full is written at once with it", async () => {
    const settling = settler();
    for (let each = 0; each <= SETTLE_GROUP_MAX; each += 1)
      settling.add(resultTo(`t${each}`), false);
    await idle();
    expect(written.map(({ length }) => length)).toEqual([SETTLE_GROUP_MAX]);
    await settling.finish([]);
    expect(written.map(({ length }) => length)).toEqual([SETTLE_GROUP_MAX, 1]);
  });
});

describe("the end of a batch", () => {
  it("writes what waits, and the copies with it", async () => {
    const settling = settler();
    settling.add(resultTo("a"), false);
    expect((await settling.finish([copy])).unwritten).toEqual(new Set());
    expect(written).toEqual([["a", "copy rcp_2"]]);
    expect(world.clock.armed).toBe(0);
  });

  it("without anything to write asks nobody", async () => {
    await settler().finish([]);
    expect(written).toEqual([]);
  });

  it("names what the ledger refused", async () => {
    refuse = (target) => target === "a";
    const settling = settler();
    settling.add(resultTo("a"), false);
    settling.add(resultTo("b"), true);
    expect((await settling.finish([])).unwritten).toEqual(new Set(["evt_1 a"]));
  });
});

describe("a ledger that fails", () => {
  it("twice is asked a third time, and nothing is reported", async () => {
    failures = 2;
    const settling = settler();
    settling.add(resultTo("a"), true);
    expect((await world.clock.run(settling.finish([]))).unwritten).toEqual(new Set());
    expect(written).toEqual([["a"]]);
  });

  it("three times is given up: the group and its copies are named as unwritten", async () => {
    failures = 3;
    const settling = settler();
    settling.add(resultTo("a"), false);
    expect((await world.clock.run(settling.finish([copy]))).unwritten).toEqual(
      new Set(["evt_1 a", "evt_1 duplicate"]),
    );
    expect(written).toEqual([]);
    expect(world.log.of("settle-failed")).toHaveLength(3);
  });

  it("for one group does not keep another from being written", async () => {
    failures = 3;
    const settling = settler();
    settling.add(resultTo("a"), true);
    await world.clock.advance(10_000);
    settling.add(resultTo("b"), true);
    expect((await settling.finish([])).unwritten).toEqual(new Set(["evt_1 a"]));
    expect(written).toEqual([["b"]]);
  });
});

describe("while results are being written", () => {
  it("there is room for as many again, and no more until the write ends", async () => {
    const { settling, write } = slowSettler();
    let hasRoom = false;
    for (const target of ["a", "b", "c"]) settling.add(resultTo(target), false);
    await settling.room(new Set());
    settling.add(resultTo("d"), false);
    void settling.room(new Set()).then(() => (hasRoom = true));
    await idle();
    expect(hasRoom).toBe(false);
    write();
    await idle();
    expect(hasRoom).toBe(true);
  });

  it("that never ends is given up after its time, and said to be unwritten", async () => {
    const settle = () => new Promise<never>(() => {});
    const broken = { ledger: { ...world.ledger, settle } };
    const settling = createSettler("token", 1, createIsolate(world, { broken }).deliver);
    settling.add(resultTo("a"), true);
    const { unwritten } = await world.clock.run(settling.finish([]));
    expect([...unwritten]).toEqual([keyOf(resultTo("a"))]);
  });
});
