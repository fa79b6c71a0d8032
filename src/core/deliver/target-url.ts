/**
 * Which addresses may be called: what can be said of a URL as it is written, and of the addresses that its
 * name stands for. The same is asked when it is saved and before every attempt.
 */
import { cidrContains, type IpAddress, parseCidr, parseIpAddress, unmapIpv4 } from "../ip.ts";

/** The parts of a WHATWG URL that decide; its parser has already brought IPv4 spellings into one form. */
export interface UrlParts {
  readonly protocol: string;
  readonly hostname: string;
  /** Empty for the one that the protocol has anyway. */
  readonly port: string;
  readonly username: string;
  readonly password: string;
}

export interface AddressPolicy {
  /** Addresses inside a network, any port, and http: for local development only. */
  readonly allowPrivate: boolean;
  /** Public IP addresses in the place of a name. */
  readonly allowLiterals: boolean;
  readonly ports: readonly number[];
  /** The router's own: `name` on any port, `name:port` on that one, `*.name` and all below it. */
  readonly ownHosts: readonly string[];
}

/** Ports of https that receivers have; others are those of services inside a network. */
export const TARGET_PORTS_DEFAULT: readonly number[] = [443, 8443];

/** What holds where nothing is configured. */
export const PUBLIC_ONLY: AddressPolicy = {
  allowPrivate: false,
  allowLiterals: false,
  ports: TARGET_PORTS_DEFAULT,
  ownHosts: [],
};

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

/** Why `url` may not be called as it is written, or null if it may. */
export function refusedAddress(url: UrlParts | null, policy: AddressPolicy): string | null {
  if (url === null) return "not an absolute URL";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "only https can be called";
  if (url.username !== "" || url.password !== "") return "credentials do not belong in a URL";
  const host = bareHost(url.hostname);
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  if (policy.ownHosts.some((own) => isOwn(own, host, port))) return "the router calls itself here";
  if (policy.allowPrivate) return null;
  if (url.protocol !== "https:") return "only https can be called";
  return refusedHost(host, policy) ?? refusedPort(port, policy);
}

/** Why an address that a name stands for may not be called; what cannot be read as one neither. */
export function refusedResolution(text: string): string | null {
  const address = parseIpAddress(text);
  if (address === undefined) return "the name stands for something that is no address";
  const range = privateRange(address);
  return range === null ? null : `the name stands for an address that is not public (${range})`;
}

/** Whether `host` has to be looked up before it can be called. */
export const isName = (host: string): boolean => parseIpAddress(host) === undefined;

/** Without the brackets of IPv6, and without the dots that end a name at the root. */
export const bareHost = (hostname: string): string =>
  hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.+$/, "")
    .toLowerCase();

function isOwn(own: string, host: string, port: number): boolean {
  const [, below, name, ownPort] = /^(\*\.)?(.*?)(?::(\d+))?$/.exec(own) ?? [];
  if (ownPort !== undefined && Number(ownPort) !== port) return false;
  return host === name || (below !== undefined && host.endsWith(`.${name}`));
}

function refusedPort(port: number, { ports }: AddressPolicy): string | null {
  return ports.includes(port) ? null : `port ${port} is none of ${ports.join(", ")}`;
}

function refusedHost(host: string, { allowLiterals }: AddressPolicy): string | null {
  const address = parseIpAddress(host);
  if (address !== undefined) {
    const range = privateRange(address);
    if (range !== null) return `the address is not public (${range})`;
    return allowLiterals ? null : "a name is needed, not an IP address";
  }
  if (host.includes(":") || ENDS_IN_NUMBER.test(host)) return "not a valid address";
  if (!host.includes(".")) return "the name is not public: it has no dot";
  const hasSuffix = (suffix: string): boolean => host === suffix || host.endsWith(`.${suffix}`);
  if (PRIVATE_SUFFIXES.some(hasSuffix)) return "the name is not public";
  if (ADDRESS_IN_NAME_SUFFIXES.some(hasSuffix))
    return "the name stands for an address written in it";
  return null;
}

function privateRange(address: IpAddress): string | null {
  const plain = unmapIpv4(address);
  return PRIVATE_RANGES.find(({ cidr }) => cidrContains(cidr, plain))?.name ?? null;
}
