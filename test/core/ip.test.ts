/** IP addresses and ranges against Node's own reading of them. */
import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cidrContains, cidrOf, parseCidr, parseIpAddress, unmapIpv4 } from "../../src/core/ip.ts";

const part = fc.constantFrom(
  ..."0 1 9 00 01 10 127 255 256 a f ffff fffff : :: . - 1.2.3.4".split(" "),
);
const addressLike = fc
  .tuple(fc.constantFrom(".", ":"), fc.array(part, { minLength: 1, maxLength: 9 }))
  .map(([separator, parts]) => parts.join(separator).replaceAll(/:{3,}/g, "::"));
const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();

describe("parseIpAddress", () => {
  test("takes what Node takes and nothing else", () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6, addressLike), (text) => {
        expect(parseIpAddress(text)?.family ?? 0).toBe(isIP(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ["127.0.0.1", 4, 0x7f000001n],
    ["::", 6, 0n],
    ["::1", 6, 1n],
    ["1::", 6, 1n << 112n],
    ["2001:DB8::8:800:200C:417A", 6, 0x20010db8000000000008_0800200c417an],
    ["::ffff:10.0.0.1", 6, 0xffff_0a000001n],
  ])("reads %s", (text, family, bits) => {
    expect(parseIpAddress(text)).toEqual({ family, bits });
  });

  test.each([
    "",
    "localhost",
    "127.1",
    "010.0.0.1",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.4.",
    " 1.2.3.4",
    "256.0.0.1",
    "fe80::1%eth0",
    "[::1]",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7::8",
    "::1.2.3.4:5",
    "1.2.3.4::",
    "::01.2.3.4",
    "0".repeat(1_000_000),
  ])("refuses %.40s", (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });
});

describe("unmapIpv4", () => {
  test.each(["::ffff:10.0.0.1", "::ffff:a00:1", "10.0.0.1"])("reads %s as IPv4", (text) => {
    const address = parseIpAddress(text);
    expect(address && unmapIpv4(address)).toEqual(parseIpAddress("10.0.0.1"));
  });

  test.each(["::10.0.0.1", "::1", "64:ff9b::10.0.0.1"])("leaves %s what it is", (text) => {
    const address = parseIpAddress(text);
    expect(address && unmapIpv4(address)).toEqual(address);
  });
});

describe("ranges", () => {
  test("contain what Node's block list contains", () => {
    const near = fc.oneof(ipv4, ipv6);
    fc.assert(
      fc.property(near, near, fc.nat(128), fc.nat(127), (base, other, bits, flipped) => {
        const family = isIP(base) === 4 ? "ipv4" : "ipv6";
        const prefixBits = family === "ipv4" ? bits % 33 : bits;
        const list = new BlockList();
        list.addSubnet(base, prefixBits, family);
        const range = parseCidr(`${base}/${prefixBits}`);
        const network = parseIpAddress(base);
        const address = parseIpAddress(other);
        if (!range || !network || !address) throw new Error(`${base} or ${other} is not read`);
        const sameFamily = network.family === address.family;
        const expected = sameFamily && list.check(other, family);
        expect(cidrContains(range, address)).toBe(expected);

        const width = network.family === 4 ? 32 : 128;
        const bit = flipped % width;
        const neighbour = { ...network, bits: network.bits ^ (1n << BigInt(bit)) };
        expect(cidrContains(range, neighbour)).toBe(bit < width - prefixBits);
      }),
    );
  });

  test("keep the families apart, also where the bits are equal", () => {
    const everything = parseCidr("::/0");
    const address = parseIpAddress("0.0.0.1");
    expect(everything && address && cidrContains(everything, address)).toBe(false);
  });

  test.each([
    "10.0.0.0",
    "10.0.0.0/",
    "/8",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/08",
    "10.0.0.0/8/8",
  ])("refuse %s", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test.each([-1, 33, 1.5, Number.NaN])("refuse a prefix of %d bits", (prefixBits) => {
    expect(cidrOf({ family: 4, bits: 0n }, prefixBits)).toBeUndefined();
  });
});
