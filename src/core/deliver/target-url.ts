/**
 * Which addresses a target may have. One check, made when a target is saved and again before every
 * attempt. A Worker cannot pin what a name resolves to, so a public name that points at a private
 * address is left to the platform, whose network refuses it.
 */
import { cidrContains, parseCidr, parseIpAddress, unmapIpv4 } from "../ip.ts";

/** The parts of a WHATWG URL that decide; its parser has already brought IPv4 spellings into one form. */
export interface UrlParts {
  readonly protocol: string;
  readonly hostname: string;
  readonly username: string;
  readonly password: string;
}

/** IANA special-purpose registries (RFC 6890 and its updates), with what each range is for. */
const PRIVATE_RANGES = [
  ["0.0.0.0/8", "this network"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "carrier-grade NAT"],
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link-local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "protocol assignments"],
  ["192.0.2.0/24", "documentation"],
  ["192.88.99.0/24", "6to4 relay"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "benchmarking"],
  ["198.51.100.0/24", "documentation"],
  ["203.0.113.0/24", "documentation"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
  ["::/96", "unspecified, loopback or IPv4-compatible"],
  ["64:ff9b::/96", "NAT64"],
  ["64:ff9b:1::/48", "NAT64"],
  ["100::/64", "discard"],
  ["2001::/23", "protocol assignments, Teredo"],
  ["2001:db8::/32", "documentation"],
  ["2002::/16", "6to4"],
  ["3fff::/20", "documentation"],
  ["5f00::/16", "segment routing"],
  ["fc00::/7", "unique local"],
  ["fe80::/10", "link-local"],
  ["fec0::/10", "site-local"],
  ["ff00::/8", "multicast"],
  // All that is given out for the internet lies in 2000::/3 (RFC 4291 section 2.4, IANA).
  ["::/3", "not global unicast"],
  ["4000::/2", "not global unicast"],
  ["8000::/1", "not global unicast"],
].flatMap(([text, name]) => {
  const cidr = parseCidr(text ?? "");
  return cidr === undefined ? [] : [{ cidr, name }];
});

/** Names that resolve inside a network, never on the public internet (RFC 6761, RFC 6762, RFC 8375). */
const PRIVATE_SUFFIXES = [
  "localhost",
  "local",
  "internal",
  "intranet",
  "lan",
  "home",
  "corp",
  "private",
  "arpa",
  "onion",
  "test",
  "invalid",
  "example",
];

/** Services that resolve a name to the address written in it. */
const ADDRESS_IN_NAME_SUFFIXES = ["nip.io", "sslip.io", "xip.io", "localtest.me", "lvh.me"];

/** No name of the DNS ends so; what does is an IPv4 address that the URL's parser did not take for one. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[\da-f]*)$/;

/** Why `url` may not be called, or null if it may. `allowPrivate` is for local development only. */
export function refusedAddress(url: UrlParts | null, allowPrivate: boolean): string | null {
  if (url === null) return "not an absolute URL";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "only https can be called";
  if (url.username !== "" || url.password !== "") return "credentials do not belong in a URL";
  if (allowPrivate) return null;
  if (url.protocol !== "https:") return "only https can be called";
  return refusedHost(url.hostname);
}

function refusedHost(hostname: string): string | null {
  const host = hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.+$/, "")
    .toLowerCase();
  const address = parseIpAddress(host);
  if (address !== undefined) {
    const plain = unmapIpv4(address);
    const range = PRIVATE_RANGES.find(({ cidr }) => cidrContains(cidr, plain));
    return range === undefined ? null : `the address is not public (${range.name})`;
  }
  if (host.includes(":") || ENDS_IN_NUMBER.test(host)) return "not a valid address";
  if (!host.includes(".")) return "the name is not public: it has no dot";
  const hasSuffix = (suffix: string): boolean => host === suffix || host.endsWith(`.${suffix}`);
  if (PRIVATE_SUFFIXES.some(hasSuffix)) return "the name is not public";
  if (ADDRESS_IN_NAME_SUFFIXES.some(hasSuffix))
    return "the name stands for an address written in it";
  return null;
}
