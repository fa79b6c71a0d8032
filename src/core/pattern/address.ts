/** IP addresses as EventBridge patterns read them: too leniently to guard anything with. */
import { type Cidr, cidrOf, type IpAddress, parseIpAddress, unmapIpv4 } from "../ip.ts";

/** The longest IPv4 text that Java's InetAddress takes for a literal; event-ruler asks it. */
const IPV4_LENGTH_MAX = 15;

/**
 * Leading zeros are allowed (`010.0.0.1` is 10.0.0.1). IPv6 has hexadecimal groups only:
 * `::ffff:a00:1` counts as 10.0.0.1, while `::ffff:10.0.0.1` is no address here
 * (event-ruler 2.0.1, CIDR.java and Constants.java).
 */
export function readAddress(text: string): IpAddress | undefined {
  const isIpv6 = text.includes(":");
  if (isIpv6 ? text.includes(".") : text.length > IPV4_LENGTH_MAX) return undefined;
  const address = parseIpAddress(text.replace(/\b0+(?=[\da-f])/gi, ""));
  return address && unmapIpv4(address);
}

/** `10.0.0.0/8`; the prefix may have a plus sign and leading zeros, as in the original. */
export function readAddressRange(text: string): Cidr | undefined {
  const [, base = "", prefixBits] = /^([^/]*)\/\+?(\d+)$/.exec(text) ?? [];
  const address = readAddress(base);
  return address && cidrOf(address, Number(prefixBits));
}
