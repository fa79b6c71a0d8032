/** A gate that is set back: what it forgets of its receiver, and what it keeps of everybody else. */
import { describe, expect, it } from "vitest";
import { forgiven, limits } from "../../../src/core/gate/keeper.ts";
import { ask, FIXED, granted, held, park, refusalOf, sendEach, tell } from "./consumers.ts";

const reset = (gate: ReturnType<typeof held>): void => {
  gate.state = forgiven(gate.state, gate.nowMs);
};

describe("a gate that is set back", () => {
  it("lets through at once what its breaker kept", () => {
    const gate = held(FIXED);
    sendEach(gate, 100, { failed: 1 });
    expect(refusalOf(ask(gate))[0]).toBe("breaker");
    reset(gate);
    expect(limits(gate.state, gate.config, gate.nowMs)).toEqual([]);
    expect(granted(ask(gate)).isProbe).toBe(false);
  });

  it("forgets how long its receiver wished to be left alone, and what rate it named", () => {
    const gate = held(FIXED);
    const asked = { retryAfterMs: 60_000, allowedPerMinute: 1 };
    tell(gate, granted(ask(gate)), { dropped: 1 }, asked);
    expect(refusalOf(ask(gate))[0]).toBe("retry-after");
    reset(gate);
    expect(granted(ask(gate, { fresh: 20 }))).toMatchObject({ intervalMs: 0 });
  });

  it("opens anew for a receiver that is still ill, by what comes after and not by what was before", () => {
    const gate = held(FIXED);
    const before = granted(ask(gate));
    reset(gate);
    for (let n = 0; n < 50; n += 1) tell(gate, before, { failed: 1 }, { isDone: false });
    expect(gate.state.breaker.phase).toBe("closed");
    expect(sendEach(gate, 100, { failed: 1 })).toBeLessThan(100);
    expect(refusalOf(ask(gate))[0]).toBe("breaker");
  });

  it("gives nobody what is held: slots, the rate's turns and the day's quota stay taken", () => {
    const gate = held({ ...FIXED, perSecond: 10, perDay: 8 });
    granted(ask(gate, { fresh: 4 }));
    park(gate, "bulk", 3);
    const { leases, lastTurnMs, quota, backlog } = gate.state;
    reset(gate);
    expect(gate.state).toMatchObject({ leases, lastTurnMs, quota, backlog });
    granted(ask(gate, { fresh: 4 }));
    expect(refusalOf(ask(gate))[0]).toBe("quota");
  });
});
