/** What the audit log says of a change, and what it keeps to itself. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeOf } from "../../src/core/deed.ts";
import { stringifyJson } from "../../src/core/json.ts";
import { DEED_MEMBERS_MAX } from "../../src/core/operator-limits.ts";

const version = (number: number, value: unknown) => ({
  version: number,
  doc: JSON.stringify(value),
});

describe("a change", () => {
  it("names each member that is not what it was, numbers and flags with their values", () => {
    const before = version(3, { url: "https://a.example", gate: { perSecond: 5 }, paused: false });
    const after = version(4, { url: "https://b.example", gate: { perSecond: 50 }, paused: true });
    expect(changeOf(before, after, false)).toEqual({
      ...{ before: 3, after: 4, unnamed: 0 },
      members: [
        { path: "/url" },
        { path: "/gate/perSecond", from: 5, to: 50 },
        { path: "/paused", from: false, to: true },
      ],
    });
  });

  it("of what was made or deleted names all that it has", () => {
    const one = version(1, { limit: { burst: 9 }, name: "Acme" });
    const members = [{ path: "/limit/burst", to: 9 }, { path: "/name" }];
    expect(changeOf(null, one, false)).toMatchObject({ before: null, after: 1, members });
    expect(changeOf(one, null, false)).toMatchObject({
      ...{ before: 1, after: null },
      members: [{ path: "/limit/burst", from: 9 }, { path: "/name" }],
    });
  });

  it("of nothing names nothing, and says only that secrets are others", () => {
    expect(changeOf(version(1, { a: 1 }), version(2, { a: 1 }), false).members).toEqual([]);
    expect(changeOf(version(1, {}), version(2, {}), true).members).toEqual([{ path: "/secrets" }]);
  });

  it("keeps a number as it was spelt", () => {
    const after = { version: 2, doc: '{"n":12345678901234567890}' };
    const { members } = changeOf(version(1, { n: 1 }), after, false);
    expect(stringifyJson(members[0]?.to ?? null)).toBe("12345678901234567890");
  });

  it("of a thousand members names some, and counts the others", () => {
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`m${n}`, n]));
    const { members, unnamed } = changeOf(null, version(1, many), false);
    expect(members).toHaveLength(DEED_MEMBERS_MAX);
    expect(unnamed).toBe(1_000 - DEED_MEMBERS_MAX);
  });

  it("never says what a text was, wherever it stands", () => {
    const secret = fc.string({ minLength: 12, maxLength: 12 }).map((text) => `s3cret-${text}`);
    const around = (text: string) =>
      fc.constantFrom<unknown>({ url: text }, { a: [text] }, [text], { a: { b: text } }, text);
    const pair = fc.tuple(secret, secret).chain(([a, b]) => fc.tuple(around(a), around(b)));
    fc.assert(
      fc.property(pair, ([before, after]) => {
        const change = changeOf(version(1, before), version(2, after), false);
        expect(JSON.stringify(change)).not.toContain("s3cret-");
      }),
    );
  });
});
