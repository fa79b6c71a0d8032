/** Why an event went where it went: all rules are read, page by page, within a bound. */
import { describe, expect, it } from "vitest";
import { EXPLAINED_RULES_MAX } from "../../src/core/archive-limits.ts";
import { explainEvent } from "../../src/flows/explain-event.ts";
import type { ConfigStore } from "../../src/ports/config.ts";

/** A store of rules, in the order of their ids, that gives no page larger than `pageMax`. */
function storeOf(
  docs: Readonly<Record<string, string>>,
  pageMax = 2,
): Pick<ConfigStore, "resources"> {
  const all = Object.entries(docs).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const rest = {
    secrets: null,
    secretIds: [],
    lockedBy: null,
    version: 1,
    createdAtMs: 0,
    updatedAtMs: 0,
  };
  return {
    async resources(_, kind, after, count) {
      expect(kind).toBe("rule");
      const left = all.filter(([id]) => id > after);
      const items = left.slice(0, Math.min(count, pageMax)).map(([id, doc]) => {
        return { id, doc, ...rest };
      });
      return { items, after: left.length > items.length ? (items.at(-1)?.id ?? null) : null };
    },
  };
}

const doc = (pattern: object, more: object = {}) => JSON.stringify({ pattern, ...more });

describe("an event beside its tenant's rules", () => {
  it("is explained for those of every page, those that are switched off among them", async () => {
    const store = storeOf({
      a: doc({ type: ["x"] }),
      b: doc({ type: ["y"], subject: ["z"] }),
      c: doc({ type: ["y"] }, { enabled: false, mode: "shadow" }),
    });
    const explained = await explainEvent("acme", { type: "y" }, 100, store);
    expect(explained).toMatchObject({ total: 3, complete: true });
    expect(
      explained.rules.map(({ id, faults, enabled, mode }) => [id, faults, enabled, mode]),
    ).toEqual([
      ["c", 0, false, "shadow"],
      ["b", 1, true, "live"],
      ["a", 1, true, "live"],
    ]);
  });

  it("shows as many as are wished, and counts all", async () => {
    const store = storeOf({ a: doc({ type: ["x"] }), b: doc({ type: ["y"] }) });
    const { rules, total } = await explainEvent("acme", { type: "y" }, 1, store);
    expect([rules.map(({ id }) => id), total]).toEqual([["b"], 2]);
  });

  it("is not explained for a rule that nobody can read any more", async () => {
    const store = storeOf({ a: "{", b: "[]", c: doc({ type: "bare" }), d: doc({ type: ["y"] }) });
    const { rules, total } = await explainEvent("acme", { type: "y" }, 100, store);
    expect([rules.map(({ id }) => id), total]).toEqual([["d"], 1]);
  });

  it("says so when there are more rules than are looked at", async () => {
    const names = Array.from({ length: EXPLAINED_RULES_MAX + 1 }, (_, at) => `r${at}`);
    const pattern = doc({ type: ["x"] });
    const store = storeOf(Object.fromEntries(names.map((name) => [name, pattern])), 1_000);
    const { total, complete } = await explainEvent("acme", {}, 1, store);
    expect([total, complete]).toEqual([EXPLAINED_RULES_MAX, false]);
  });
});
