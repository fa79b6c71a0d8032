/**
 * Private addresses in every spelling that the URL parser or a network turns into that address:
 * each is refused. What is private is said here once more, by Node's own ranges, so that a range
 * forgotten in the code is not forgotten here too.
 */
import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refusedAddress } from "../../../src/core/deliver/target-url.ts";

const V4_RANGES = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const;
const V6_RANGES = [
  ["::", 96],
  ["64:ff9b::", 96],
  ["100::", 64],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const;

const privateRanges = new BlockList();
for (const [net, bits] of V4_RANGES) privateRanges.addSubnet(net, bits, "ipv4");
for (const [net, bits] of V6_RANGES) privateRanges.addSubnet(net, bits, "ipv6");

type Octets = readonly [number, number, number, number];

const octetsOf = (address: number): Octets => [
  address >>> 24,
  (address >>> 16) & 255,
  (address >>> 8) & 255,
  address & 255,
];
const addressOf = (dotted: string): number =>
  dotted.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

/** Any address in a range, its edges among them. */
const privateV4 = fc
  .tuple(fc.constantFrom(...V4_RANGES), fc.oneof(fc.nat(), fc.constantFrom(0, 0xffffffff, 1)))
  .map(([[net, bits], host]) => octetsOf(addressOf(net) + ((host >>> 0) % 2 ** (32 - bits))));

const hex = (value: number): string => `0x${value.toString(16)}`;
const octal = (value: number): string => `0${value.toString(8)}`;
const wide = (text: string): string =>
  text.replace(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
const escaped = (text: string): string =>
  text.replace(/[0-9]/g, (digit) => `%${digit.charCodeAt(0).toString(16)}`);
const group = (high: number, low: number): string => (high * 256 + low).toString(16);

const V4_SPELLINGS: Readonly<Record<string, (octets: Octets) => string>> = {
  dotted: (o) => o.join("."),
  "with a final dot": (o) => `${o.join(".")}.`,
  "one number": (o) => String(addressOf(o.join("."))),
  "one hex number": (o) => hex(addressOf(o.join("."))),
  "one hex number in capitals": (o) => hex(addressOf(o.join("."))).toUpperCase(),
  "one octal number": (o) => octal(addressOf(o.join("."))),
  "dotted hex": (o) => o.map(hex).join("."),
  "dotted octal": (o) => o.map(octal).join("."),
  "octal with more zeros": (o) => o.map((each) => `000${octal(each)}`).join("."),
  "two parts": ([a, b, c, d]) => `${a}.${b * 65_536 + c * 256 + d}`,
  "three parts": ([a, b, c, d]) => `${a}.${b}.${c * 256 + d}`,
  "mixed bases": ([a, b, c, d]) => `${hex(a)}.${octal(b)}.${c}.${d}`,
  "wide digits": (o) => wide(o.join(".")),
  "ideographic dots": (o) => o.join("。"),
  "percent-encoded": (o) => escaped(o.join(".")),
  "IPv4-mapped": (o) => `[::ffff:${o.join(".")}]`,
  "IPv4-mapped in hex": ([a, b, c, d]) => `[::FFFF:${group(a, b)}:${group(c, d)}]`,
  "IPv4-mapped in full": ([a, b, c, d]) => `[0:0:0:0:0:ffff:${group(a, b)}:${group(c, d)}]`,
  "IPv4-compatible": (o) => `[::${o.join(".")}]`,
  "IPv4-translated": (o) => `[::ffff:0:${o.join(".")}]`,
  NAT64: (o) => `[64:ff9b::${o.join(".")}]`,
  "6to4": ([a, b, c, d]) => `[2002:${group(a, b)}:${group(c, d)}::1]`,
  Teredo: ([a, b, c, d]) =>
    `[2001:0:1:1:0:0:${group(~a & 255, ~b & 255)}:${group(~c & 255, ~d & 255)}]`,
};

const privateV6 = fc
  .tuple(
    fc.constantFrom(...V6_RANGES),
    fc.array(fc.nat({ max: 0xffff }), { minLength: 8, maxLength: 8 }),
  )
  .map(([[net, bits], chance]) => {
    const [head = "", tail = ""] = net.split("::");
    const fixed = [head, tail]
      .join(":")
      .split(":")
      .filter(Boolean)
      .map((each) => Number.parseInt(each, 16));
    const base = [...fixed, ...Array<number>(8 - fixed.length).fill(0)];
    return base.map((each, index) => {
      const own = Math.min(16, Math.max(0, bits - 16 * index));
      const mask = 0xffff >>> own;
      return (each & ~mask) | ((chance[index] ?? 0) & mask);
    });
  });

const plain = (groups: readonly number[]): string =>
  groups.map((each) => each.toString(16)).join(":");

const V6_SPELLINGS: Readonly<Record<string, (groups: readonly number[]) => string>> = {
  plain,
  capitals: (g) => g.map((each) => each.toString(16).toUpperCase()).join(":"),
  "all zeros written": (g) => g.map((each) => each.toString(16).padStart(4, "0")).join(":"),
  "one run of zeros left out": (g) =>
    g
      .map((each) => each.toString(16))
      .join(":")
      .replace(/(^|:)0(:0)+(:|$)/, "::"),
  "dotted at the end": (g) =>
    `${g
      .slice(0, 6)
      .map((each) => each.toString(16))
      .join(":")}:${g
      .slice(6)
      .flatMap((each) => [each >> 8, each & 255])
      .join(".")}`,
};

function isRefused(host: string): boolean {
  const text = `https://${host}/in`;
  return refusedAddress(URL.parse(text), false) !== null;
}

describe("a private IPv4 address", () => {
  it.each(Object.entries(V4_SPELLINGS))("is refused when it is written: %s", (_, spell) => {
    fc.assert(fc.property(privateV4, (octets) => isRefused(spell(octets))));
  });

  it("is one by Node's reading too", () => {
    fc.assert(fc.property(privateV4, (octets) => privateRanges.check(octets.join("."), "ipv4")));
  });
});

describe("a private IPv6 address", () => {
  it.each(Object.entries(V6_SPELLINGS))("is refused when it is written: %s", (_, spell) => {
    fc.assert(fc.property(privateV6, (groups) => isRefused(`[${spell(groups)}]`)));
  });

  it("is one by Node's reading too", () => {
    fc.assert(fc.property(privateV6, (groups) => privateRanges.check(plain(groups), "ipv6")));
  });
});

describe("a public address", () => {
  const edges = ["192.0.0.0", "192.88.99.0"]; // /24 each, refused beyond Node's ranges above
  const publicV4 = fc
    .ipV4()
    .filter((each) => !privateRanges.check(each, "ipv4"))
    .filter((each) => !edges.some((edge) => each.startsWith(edge.slice(0, -1))));

  it("is allowed, also written as one number", () => {
    fc.assert(
      fc.property(publicV4, (dotted) => {
        expect(isRefused(dotted)).toBe(false);
        expect(isRefused(String(addressOf(dotted)))).toBe(false);
        expect(isRefused(`[::ffff:${dotted}]`)).toBe(false);
      }),
    );
  });

  it("of IPv6 is allowed where the registries give addresses out", () => {
    const groups = fc.array(fc.nat({ max: 0xffff }), { minLength: 7, maxLength: 7 });
    const first = fc.constantFrom("2400", "2600", "2800", "2a00", "2c00");
    fc.assert(
      fc.property(first, groups, (head, rest) => {
        expect(isRefused(`[${[head, ...rest.map((each) => each.toString(16))].join(":")}]`)).toBe(
          false,
        );
      }),
    );
  });
});
