/** Adaptive concurrency: what a receiver drops tells how much it can take. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapt, type Flight, limitOf } from "../../../src/core/gate/adaptive.ts";
import type { Adaptive } from "../../../src/core/gate/state.ts";

const CAP = 100;
const at = (limit: number, more: Partial<Adaptive> = {}): Adaptive => ({
  ...{ limit, ceiling: null, generation: 3 },
  ...more,
});
const flight = (more: Partial<Flight>): Flight => ({
  ...{ generation: 3, slots: 6, ok: 0, dropped: 0, allowed: 60, held: 60 },
  ...more,
});

describe("what goes well", () => {
  it("says nothing of more than was taken, where it was granted among fewer", () => {
    const known = at(51.2, { ceiling: 50 });
    expect(adapt(known, flight({ ok: 24, allowed: 50 }), CAP)).toEqual(known);
    expect(adapt(known, flight({ ok: 24, allowed: 51 }), CAP).limit).toBeGreaterThan(51.2);
  });

  it("leads back to what was taken, whoever was there before", () => {
    const after = adapt(at(45, { ceiling: 50 }), flight({ ok: 45, allowed: 40 }), CAP);
    expect(after.limit).toBeGreaterThan(46);
  });
});

describe("what is dropped of what was in flight together", () => {
  it("tells how much the receiver took, in whichever leases it was", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: CAP }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 }),
        (held, drops) => {
          const after = drops.reduce(
            (so, dropped) => adapt(so, flight({ held, dropped }), CAP),
            at(held),
          );
          const dropped = drops.reduce((sum, each) => sum + each, 0);
          const taken = Math.max(Math.ceil(held / 2), held - dropped);
          expect(after).toMatchObject({ ceiling: taken, generation: 4 });
          expect(after.limit).toBeLessThan(taken);
          expect(after.limit).toBeGreaterThan(taken * 0.7);
        },
      ),
    );
  });

  it("does not count on slots that nobody held", () => {
    expect(adapt(at(90), flight({ held: 50, dropped: 2 }), CAP).ceiling).toBe(48);
  });

  it("is answered once: a lease of an older generation changes nothing", () => {
    const known = at(40, { ceiling: 50, generation: 5 });
    expect(adapt(known, flight({ generation: 3, dropped: 6 }), CAP)).toEqual(known);
  });

  it("leaves a half at least, and one attempt in the end, from where the way up is fast", () => {
    let so = at(64);
    for (let generation = 3; generation < 12; generation += 1) {
      const before = limitOf(so, true, CAP);
      so = adapt(so, flight({ generation, held: before, dropped: before }), CAP);
      expect(so.ceiling).toBe(Math.max(1, Math.ceil(before / 2)));
    }
    expect(limitOf(so, true, CAP)).toBe(1);
    for (let round = 0; round < 12; round += 1) {
      const slots = limitOf(so, true, CAP);
      so = adapt(so, flight({ generation: 12, slots, ok: slots, held: slots }), CAP);
    }
    expect(limitOf(so, true, CAP)).toBeGreaterThan(50);
  });
});
