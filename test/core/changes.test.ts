/** What has changed of tenants: told by revisions, and a new life of the same name is no change of the former one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changesSince } from "../../src/core/changes.ts";

const known = new Map([["acme", 1_005]]);
const foundAs = (revision: number, createdAtMs = 1_000) =>
  new Map([["acme", { revision, createdAtMs }]]);

describe("a tenant whose revision is known", () => {
  it("has not changed while it has the same", () => {
    expect(changesSince(known, foundAs(1_005))).toEqual(new Map());
  });

  it("has changed when it has another", () => {
    expect(changesSince(known, foundAs(1_006))).toEqual(new Map([["acme", 1_006]]));
  });

  it("is gone when nothing is found of it", () => {
    expect(changesSince(known, new Map())).toEqual(new Map([["acme", null]]));
  });

  it("is gone, and not the one of its name, when that began after what is known", () => {
    expect(changesSince(known, foundAs(9_000, 9_000))).toEqual(new Map([["acme", null]]));
    expect(changesSince(known, foundAs(1_005, 1_005))).toEqual(new Map());
  });
});

describe("changes", () => {
  const lives = fc.dictionary(
    fc.constantFrom("a", "b", "c", "d"),
    fc.record({ revision: fc.nat(9), createdAtMs: fc.nat(9) }),
  );
  const revisions = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.nat(9));

  it("are told of nobody who was not asked for, and bring what is known to what there is", () => {
    fc.assert(
      fc.property(revisions, lives, (asked, there) => {
        const before = new Map(Object.entries(asked));
        const found = new Map(Object.entries(there));
        const changed = changesSince(before, found);
        for (const [id, revision] of before) {
          const now = changed.has(id) ? changed.get(id) : revision;
          const life = found.get(id);
          const isSameLife = life !== undefined && life.createdAtMs <= revision;
          expect(now).toBe(isSameLife ? life.revision : null);
        }
        for (const id of changed.keys()) expect(before.has(id)).toBe(true);
      }),
    );
  });
});
