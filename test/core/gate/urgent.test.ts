/** Slots that are kept free for critical deliveries: they find one when they come, and nobody goes short for long. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../../src/core/gate/keeper.ts";
import { newGate } from "../../../src/core/gate/state.ts";
import { keptFree, urgentCame } from "../../../src/core/gate/urgent.ts";
import { GATE_URGENT_MS } from "../../../src/core/gate-limits.ts";
import { CONNECTIONS_MAX } from "../../../src/core/limits.ts";
import type { Priority } from "../../../src/core/priority.ts";
import { ask, FIXED, granted, held, NOW_MS, park, refusalOf, tell, whatNext } from "./consumers.ts";

const TEN = { ...FIXED, concurrency: 10 };

/** Asks until nothing more is granted, and answers the slots it has then. */
function fill(gate: ReturnType<typeof held>, priority: Priority): number {
  let slots = 0;
  for (;;) {
    const answer = ask(gate, { priority, fresh: 60, isReleased: true });
    if (answer.kind === "refused") return slots;
    slots += answer.slots;
  }
}

/** `count` critical ones have come at once, and have been answered. */
function came(gate: ReturnType<typeof held>, count: number): void {
  const all = Array.from({ length: count }, () => granted(ask(gate, { priority: "critical" })));
  for (const each of all) tell(gate, each, { ok: 1, durationMs: 100 });
}

describe("a gate that something critical has come to lately", () => {
  it("keeps as many slots free for it as it had use for at once", () => {
    const gate = held(TEN);
    came(gate, 3);
    expect(fill(gate, "bulk")).toBe(7);
    expect(fill(gate, "normal")).toBe(0);
    for (const _ of [1, 2, 3])
      expect(refusalOf(ask(gate, { priority: "critical" }))).toBe("granted");
    expect(refusalOf(ask(gate, { priority: "critical" }))).toEqual(["concurrency", null]);
  });

  it("keeps no more free than it does not hold already", () => {
    const gate = held(TEN);
    came(gate, 3);
    granted(ask(gate, { priority: "critical" }));
    expect(fill(gate, "bulk")).toBe(7);
  });

  it("keeps no more than half of its slots free, and of a single one nothing", () => {
    const gate = held(TEN);
    came(gate, 9);
    expect(fill(gate, "normal")).toBe(5);
    const single = held({ ...FIXED, concurrency: 1 });
    came(single, 1);
    expect(fill(single, "bulk")).toBe(1);
  });

  it("gives all of them to others when nothing critical has come for a minute", () => {
    const gate = held(TEN);
    came(gate, 3);
    gate.nowMs += 2 * GATE_URGENT_MS;
    expect(fill(gate, "bulk")).toBe(10);
  });

  it("keeps fewer when it had use for fewer since", () => {
    const gate = held(TEN);
    came(gate, 4);
    gate.nowMs += GATE_URGENT_MS;
    came(gate, 1);
    gate.nowMs += GATE_URGENT_MS;
    expect(fill(gate, "bulk")).toBe(9);
  });

  it("keeps them free as long after the last use for as many, whatever came in between", () => {
    const gate = held(TEN);
    came(gate, 3);
    gate.nowMs += GATE_URGENT_MS - 1;
    came(gate, 2);
    gate.nowMs += GATE_URGENT_MS - 1;
    expect(fill(gate, "bulk")).toBe(7);
  });

  it("keeps them free from more for a lease that had all, and from what is let go", () => {
    const gate = held(FIXED);
    const { lease } = granted(ask(gate, { priority: "bulk", fresh: 60, isReleased: true }));
    expect(refusalOf(ask(gate, { priority: "critical" }))).toEqual(["concurrency", null]);
    tell(gate, { lease }, { ok: 24, durationMs: 500 }, { isDone: false });
    const more = { lease, priority: "bulk", fresh: 30, isReleased: true, isMore: true } as const;
    expect(refusalOf(ask(gate, more))).toEqual(["concurrency", null]);
    tell(gate, { lease }, {});
    park(gate, "bulk", 100);
    expect(whatNext(gate).release).toBe(5 * 4);
    expect(fill(gate, "bulk")).toBe(5);
  });

  it("says so to whoever asks what limits others", () => {
    const gate = held(TEN);
    came(gate, 3);
    fill(gate, "bulk");
    const [{ by, detail } = {}] = limits(gate.state, gate.config, gate.nowMs);
    expect(by).toBe("concurrency");
    expect(detail).toBe("7 of 10 slots taken, 3 kept free for critical deliveries");
  });

  it("keeps nothing by a clock that went back since", () => {
    const gate = held(TEN);
    came(gate, 3);
    gate.nowMs -= 1;
    expect(fill(gate, "bulk")).toBe(10);
  });

  it("keeps no lease at work by slots that what is parked may not have", () => {
    const gate = held(TEN);
    came(gate, 3);
    const one = granted(ask(gate, { priority: "bulk", fresh: 60, isReleased: true }));
    fill(gate, "bulk");
    tell(gate, one, { ok: 4, durationMs: 500 }, { isDone: false });
    const more = { lease: one.lease, priority: "bulk", fresh: 20, isReleased: true } as const;
    expect(refusalOf(ask(gate, { ...more, isMore: true }))).toBe("granted");
    park(gate, "normal", 2);
    expect(refusalOf(ask(gate, { ...more, isMore: true }))).toEqual(["backlog", null]);
  });

  it("keeps nothing free from what is critical, nor for what is not", () => {
    const gate = held(TEN);
    came(gate, 3);
    expect(fill(gate, "critical")).toBe(10);
    const other = held(TEN);
    tell(other, granted(ask(other, { priority: "normal", fresh: 6 })), { ok: 6, durationMs: 100 });
    expect(fill(other, "bulk")).toBe(10);
  });
});

it("never keeps more free than half, than critical ones had use for, or for so long", () => {
  const asks = fc.array(fc.record({ want: fc.nat(50), afterMs: fc.nat(2 * GATE_URGENT_MS) }));
  fc.assert(
    fc.property(asks, fc.integer({ min: 1, max: 100 }), (all, limit) => {
      let [state, nowMs] = [newGate(NOW_MS), NOW_MS];
      for (const { want, afterMs } of all) {
        nowMs += afterMs;
        state = urgentCame(state, want, nowMs);
        expect(keptFree(state, limit, "critical", nowMs)).toBe(0);
        const kept = keptFree(state, limit, "normal", nowMs);
        expect(kept).toBe(keptFree(state, limit, "bulk", nowMs));
        expect(kept).toBeGreaterThanOrEqual(Math.min(want, CONNECTIONS_MAX, Math.floor(limit / 2)));
        expect(kept).toBeLessThanOrEqual(Math.min(CONNECTIONS_MAX, limit / 2));
        const later = keptFree(state, limit, "bulk", nowMs + GATE_URGENT_MS - 1);
        expect(later).toBeGreaterThanOrEqual(
          Math.min(want, CONNECTIONS_MAX, Math.floor(limit / 2)),
        );
        expect(keptFree(state, limit, "bulk", nowMs + 2 * GATE_URGENT_MS)).toBe(0);
      }
    }),
  );
});
