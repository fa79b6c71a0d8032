/**
 * Private addresses in every spelling that the URL parser or a network turns into that address:
 * each is refused. What is private is said here once more, by Node's own ranges, so that a range
 * forgotten in the code is not forgotten here too.
 */
import { BlockList } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PUBLIC_ONLY, refusedAddress } from "../../../src/core/deliver/target-url.ts";
import {
  addressOf,
  plain,
  privateHost,
  privateV4,
  privateV6,
  urlAround,
  V4_RANGES,
  V4_SPELLINGS,
  V6_RANGES,
  V6_SPELLINGS,
} from "../../support/private-addresses.ts";

const privateRanges = new BlockList();
for (const [net, bits] of V4_RANGES) privateRanges.addSubnet(net, bits, "ipv4");
for (const [net, bits] of V6_RANGES) privateRanges.addSubnet(net, bits, "ipv6");

/** By the policy that lets public ones through: they are refused for what they are. */
const LITERALS = { ...PUBLIC_ONLY, allowLiterals: true };

const isRefused = (host: string): boolean => isRefusedUrl(`https://${host}/in`);
const isRefusedUrl = (text: string): boolean => refusedAddress(URL.parse(text), LITERALS) !== null;

it("a private address is refused in any spelling, whatever stands around it", () => {
  fc.assert(fc.property(urlAround(privateHost), isRefusedUrl), { numRuns: 2_000 });
});

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
