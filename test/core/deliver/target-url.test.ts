/** Addresses a target may have: URLs as people and attackers write them. */
import { describe, expect, it } from "vitest";
import { refusedAddress } from "../../../src/core/deliver/target-url.ts";

/** Null when it may be called; otherwise why not. */
function refusalOf(text: string, allowPrivate = false): string | null {
  return refusedAddress(URL.parse(text), allowPrivate);
}

const ALLOWED = [
  "https://example.com/",
  "https://hooks.example.com:8443/a?b=c#d",
  "HTTPS://EXAMPLE.COM",
  "https://example.com.",
  "https://xn--bcher-kva.example.com/",
  "https://bücher.example.org/",
  "https://1.1.1.1/",
  "https://8.8.8.8:443/dns-query",
  "https://172.15.255.255/",
  "https://172.32.0.0/",
  "https://100.63.255.255/",
  "https://100.128.0.0/",
  "https://169.253.255.255/",
  "https://192.167.255.255/",
  "https://198.17.255.255/",
  "https://198.20.0.0/",
  "https://11.0.0.0/",
  "https://223.255.255.255/",
  "https://[2606:4700:4700::1111]/",
  "https://[2a00:1450:4001:81b::200e]:8443/",
  "https://[::ffff:8.8.8.8]/",
  "https://localhost.example.com/",
  "https://internal.example.com/",
  "https://test.com/",
  "https://10.0.0.1.example.com/",
  "https://example.community/",
  "https://mylocal.net/",
  "https://a.b.c.d.e.f.example.net/",
];

const REFUSED: readonly (readonly [url: string, why: string])[] = [
  // no URL that may be called
  ["", "not an absolute URL"],
  ["example.com", "not an absolute URL"],
  ["//example.com/", "not an absolute URL"],
  ["/in/acme/shop", "not an absolute URL"],
  ["https://", "not an absolute URL"],
  ["https://exa mple.com/", "not an absolute URL"],
  ["https://256.256.256.256/", "not an absolute URL"],
  ["https://1.2.3.4.5/", "not an absolute URL"],
  ["https://[::1/", "not an absolute URL"],
  ["https://[fe80::1%25eth0]/", "not an absolute URL"],
  ["ftp://example.com/", "only https can be called"],
  ["file:///etc/passwd", "only https can be called"],
  ["javascript:alert(1)", "only https can be called"],
  ["data:text/plain,hi", "only https can be called"],
  ["gopher://example.com:70/_x", "only https can be called"],
  ["ws://example.com/", "only https can be called"],
  ["http://example.com/", "only https can be called"],
  ["https://user@example.com/", "credentials do not belong in a URL"],
  ["https://user:pass@example.com/", "credentials do not belong in a URL"],
  ["https://:pass@example.com/", "credentials do not belong in a URL"],
  ["https://example.com@127.0.0.1/", "credentials do not belong in a URL"],
  // this machine
  ["https://localhost/", "the name is not public: it has no dot"],
  ["https://LOCALHOST:8787/", "the name is not public: it has no dot"],
  ["https://localhost./", "the name is not public: it has no dot"],
  ["https://localhost../", "the name is not public: it has no dot"],
  ["https://router.localhost/", "the name is not public"],
  ["https://ｌｏｃａｌｈｏｓｔ/", "the name is not public: it has no dot"],
  ["https://127.0.0.1/", "the address is not public (loopback)"],
  ["https://127.0.0.1./", "the address is not public (loopback)"],
  ["https://127.0.0.1../", "the address is not public (loopback)"],
  ["https://127.1/", "the address is not public (loopback)"],
  ["https://127.255.255.254/", "the address is not public (loopback)"],
  ["https://2130706433/", "the address is not public (loopback)"],
  ["https://0x7f000001/", "the address is not public (loopback)"],
  ["https://0x7f.1/", "the address is not public (loopback)"],
  ["https://0x7f.1../", "not a valid address"],
  ["https://017700000001/", "the address is not public (loopback)"],
  ["https://0177.0.0.01/", "the address is not public (loopback)"],
  ["https://１２７.０.０.１/", "the address is not public (loopback)"],
  ["https://127。0。0。1/", "the address is not public (loopback)"],
  ["https://%31%32%37.0.0.1/", "the address is not public (loopback)"],
  ["https://0/", "the address is not public (this network)"],
  ["https://0.0.0.0/", "the address is not public (this network)"],
  ["https://[::]/", "the address is not public (unspecified, loopback or IPv4-compatible)"],
  ["https://[::1]/", "the address is not public (unspecified, loopback or IPv4-compatible)"],
  [
    "https://[0:0:0:0:0:0:0:1]/",
    "the address is not public (unspecified, loopback or IPv4-compatible)",
  ],
  [
    "https://[::127.0.0.1]/",
    "the address is not public (unspecified, loopback or IPv4-compatible)",
  ],
  ["https://[::ffff:127.0.0.1]/", "the address is not public (loopback)"],
  ["https://[::FFFF:7f00:1]/", "the address is not public (loopback)"],
  // this network
  ["https://10.0.0.1/", "the address is not public (private)"],
  ["https://10.255.255.255/", "the address is not public (private)"],
  ["https://172.16.0.0/", "the address is not public (private)"],
  ["https://172.31.255.255/", "the address is not public (private)"],
  ["https://192.168.1.1/", "the address is not public (private)"],
  ["https://3232235777/", "the address is not public (private)"],
  ["https://100.64.0.1/", "the address is not public (carrier-grade NAT)"],
  ["https://[fd00::1]/", "the address is not public (unique local)"],
  ["https://[fdff:ffff::]/", "the address is not public (unique local)"],
  ["https://[fe80::1]/", "the address is not public (link-local)"],
  ["https://[febf::1]/", "the address is not public (link-local)"],
  ["https://[fec0::1]/", "the address is not public (site-local)"],
  ["https://printer.local/", "the name is not public"],
  ["https://router.lan/", "the name is not public"],
  ["https://wiki.corp/", "the name is not public"],
  ["https://nas.home.arpa/", "the name is not public"],
  ["https://db.internal/", "the name is not public"],
  ["https://intranet/", "the name is not public: it has no dot"],
  // a cloud's own services
  ["https://169.254.169.254/latest/meta-data/", "the address is not public (link-local)"],
  ["https://0xa9fea9fe/", "the address is not public (link-local)"],
  ["https://[::ffff:a9fe:a9fe]/", "the address is not public (link-local)"],
  ["https://metadata.google.internal/", "the name is not public"],
  ["https://[fd00:ec2::254]/", "the address is not public (unique local)"],
  // addresses that stand for others
  ["https://[64:ff9b::10.0.0.1]/", "the address is not public (NAT64)"],
  ["https://[64:ff9b:1::a00:1]/", "the address is not public (NAT64)"],
  ["https://[2002:a00:1::]/", "the address is not public (6to4)"],
  ["https://[2001:0:1::1]/", "the address is not public (protocol assignments, Teredo)"],
  ["https://[::ffff:0:10.0.0.1]/", "the address is not public (not global unicast)"],
  ["https://10.0.0.1.nip.io/", "the name stands for an address written in it"],
  ["https://app.10-0-0-1.sslip.io/", "the name stands for an address written in it"],
  ["https://localtest.me/", "the name stands for an address written in it"],
  ["https://a.lvh.me./", "the name stands for an address written in it"],
  // addresses that are for nothing, or for many
  ["https://192.0.2.1/", "the address is not public (documentation)"],
  ["https://198.51.100.1/", "the address is not public (documentation)"],
  ["https://203.0.113.1/", "the address is not public (documentation)"],
  ["https://198.18.0.1/", "the address is not public (benchmarking)"],
  ["https://192.88.99.1/", "the address is not public (6to4 relay)"],
  ["https://224.0.0.1/", "the address is not public (multicast)"],
  ["https://255.255.255.255/", "the address is not public (reserved)"],
  ["https://[2001:db8::1]/", "the address is not public (documentation)"],
  ["https://[3fff::1]/", "the address is not public (documentation)"],
  ["https://[100::1]/", "the address is not public (discard)"],
  ["https://[ff02::1]/", "the address is not public (multicast)"],
  ["https://[4000::1]/", "the address is not public (not global unicast)"],
  ["https://[8000::1]/", "the address is not public (not global unicast)"],
  ["https://receiver.example/", "the name is not public"],
  ["https://receiver.test/", "the name is not public"],
  ["https://receiver.invalid/", "the name is not public"],
  ["https://abcdefghijklmnop.onion/", "the name is not public"],
];

describe("a target's address", () => {
  it.each(ALLOWED)("may be %s", (url) => {
    expect(refusalOf(url)).toBeNull();
  });

  it.each(REFUSED)("may not be %s: %s", (url, why) => {
    expect(refusalOf(url)).toBe(why);
  });
});

describe("in local development", () => {
  it.each([
    "http://127.0.0.1:8080/",
    "http://localhost/",
    "https://[::1]/",
    "http://10.0.0.1/",
    "http://host.docker.internal/",
  ])("a target's address may be %s", (url) => {
    expect(refusalOf(url, true)).toBeNull();
  });

  it.each([
    ["ftp://127.0.0.1/", "only https can be called"],
    ["file:///etc/passwd", "only https can be called"],
    ["http://user:pass@127.0.0.1/", "credentials do not belong in a URL"],
    ["127.0.0.1:8080", "not an absolute URL"],
  ])("a target's address may still not be %s", (url, why) => {
    expect(refusalOf(url, true)).toBe(why);
  });
});
