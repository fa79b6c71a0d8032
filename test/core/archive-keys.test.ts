/** Keys of the archive: a listing of them is a listing by time, and no tenant's are another's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bigKey,
  hourOf,
  hourStartMs,
  keysWithin,
  poisonId,
  poisonKey,
  poisonKeyOf,
  prefixOf,
  segmentKey,
} from "../../src/core/archive-keys.ts";

const AT = Date.UTC(2026, 0, 31, 23, 59, 59, 999);
const random = new Uint8Array(10);

describe("a key", () => {
  it("has the kind first, then the tenant, then the hour of receipt in UTC", () => {
    const segment = segmentKey("acme", AT, AT + 5_000, random);
    expect(segment).toMatch(/^segments\/acme\/2026-01-31T23\/[0-9a-z]{26}$/);
    const big = bigKey({ tenant: "acme", receivedAtMs: AT, id: "evt_1", receipt: "rcp_1" });
    expect(big).toBe("big/acme/2026-01-31T23/evt_1/rcp_1");
    expect(poisonKey("m1", AT)).toBe("poison/2026-01-31/m1");
  });

  it("tells the hour it lies in", () => {
    const key = segmentKey("acme", AT, AT, random);
    expect(hourStartMs(key)).toBe(Date.UTC(2026, 0, 31, 23));
    expect(hourStartMs("big/acme/2026-01-31T23/")).toBe(Date.UTC(2026, 0, 31, 23));
  });

  it("of a later segment sorts after that of an earlier one", () => {
    const times = [AT, AT + 1, AT + 2_000, AT + 3_600_000, AT + 40 * 86_400_000];
    const keys = times.map((ms) => segmentKey("acme", ms, ms, random));
    expect(keys.toSorted()).toEqual(keys);
  });
});

describe("the keys of a range", () => {
  const within = (key: string, fromMs: number, untilMs: number): boolean => {
    const { prefix, after, before } = keysWithin("segments", "acme", { fromMs, untilMs });
    return key.startsWith(prefix) && key > after && key < before;
  };
  const key = segmentKey("acme", AT, AT, new Uint8Array(10).fill(255));

  it("hold what was received in it, to the millisecond at both ends", () => {
    expect(within(key, AT, AT + 1)).toBe(true);
    expect(within(key, 0, Number.POSITIVE_INFINITY)).toBe(true);
    expect(within(key, AT + 1, AT + 2)).toBe(false);
    expect(within(key, AT - 3_600_000, Date.UTC(2026, 0, 31, 23))).toBe(false);
  });

  it("are none when the range is empty, turned round or out of any calendar", () => {
    expect(within(key, AT, AT)).toBe(false);
    expect(within(key, AT + 1, AT)).toBe(false);
    expect(within(key, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY)).toBe(false);
  });

  it("are none of a tenant whose name only begins alike", () => {
    expect(segmentKey("acme-2", AT, AT, random).startsWith(prefixOf("segments", "acme"))).toBe(
      false,
    );
  });
});

describe("the id of a poison message", () => {
  it("is one path segment, and leads back to its key", () => {
    const key = poisonKey("2f0c9e", AT);
    expect(poisonId(key)).toBe("2026-01-31.2f0c9e");
    expect(poisonKeyOf(poisonId(key))).toBe(key);
  });

  it.each([
    "",
    "2026-01-31",
    "2026-01-31.",
    "2026-01-31/2f0c9e",
    "2026-01-31.a/b",
    "x2026-01-31.2f0c9e",
    "../segments/acme",
    "segments.acme",
  ])("is refused when it is none: %j", (id) => {
    expect(poisonKeyOf(id)).toBeNull();
  });

  it("stands for nothing outside its own kind, whatever it says", () => {
    fc.assert(
      fc.property(fc.string(), (message) => {
        const key = poisonKeyOf(`2026-01-31.${message}`);
        return key === null || key.startsWith("poison/2026-01-31/");
      }),
    );
  });
});

describe("an hour", () => {
  it("is written so that hours sort, whatever moment is asked for", () => {
    expect(hourOf(-1)).toBe("1970-01-01T00");
    expect(hourOf(Number.POSITIVE_INFINITY)).toBe("9999-12-31T23");
  });
});
