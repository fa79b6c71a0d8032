/** Which of the archive expires when; what would expire too early is refused. */
import { describe, expect, it } from "vitest";
import { bigKey, poisonKey, segmentKey } from "../../src/core/archive-keys.ts";
import { retentionOf } from "../../src/core/retention.ts";

describe("the archive's retention", () => {
  it("is 90 days for events and 30 for what nothing could read, unless it is said", () => {
    expect(retentionOf({})).toEqual({
      ok: true,
      rules: [
        { name: "signalbox-segments", prefix: "segments/", days: 90 },
        { name: "signalbox-big", prefix: "big/", days: 90 },
        { name: "signalbox-poison", prefix: "poison/", days: 30 },
      ],
    });
  });

  it("is as long as it is said, as text or as a number", () => {
    const retention = retentionOf({ ARCHIVE_DAYS: "365", POISON_DAYS: 1 });
    expect(retention.ok && retention.rules.map(({ days }) => days)).toEqual([365, 365, 1]);
    expect(retentionOf({ ARCHIVE_DAYS: "28" }).ok).toBe(true);
  });

  it("holds for every key there is", () => {
    const retention = retentionOf({});
    const prefixes = retention.ok ? retention.rules.map(({ prefix }) => prefix) : [];
    const keys = [
      segmentKey("acme", 0, 0, new Uint8Array(10)),
      bigKey({ tenant: "acme", receivedAtMs: 0, id: "evt_1", receipt: "rcp_1" }),
      poisonKey("m", 0),
    ];
    for (const key of keys) {
      expect(prefixes.filter((prefix) => key.startsWith(prefix))).toHaveLength(1);
    }
  });

  it.each(["27", "0", "-90", "90.5", "9e9", "", "ninety", null, 1_000_000])(
    "is refused for events when it is %j: the ledger still refers to them",
    (days) => {
      const retention = retentionOf({ ARCHIVE_DAYS: days ?? "null" });
      expect(retention).toMatchObject({
        ok: false,
        fault: expect.stringMatching(/ARCHIVE_DAYS.* 28: the ledger/),
      });
    },
  );

  it.each(["0", "soon"])("is refused for poison when it is %j", (days) => {
    expect(retentionOf({ POISON_DAYS: days })).toMatchObject({
      ok: false,
      fault: expect.stringMatching(/POISON_DAYS/),
    });
  });
});
