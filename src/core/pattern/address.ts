/** IP addresses as EventBridge patterns read them: more lenient than `ip.ts`, so not for guarding anything. */
import { type Cidr, cidrOf, type IpAddress, parseIpAddress, unmapIpv4 } from "../ip.ts";

/** The longest IPv4 text that Java's InetAddress takes for a literal; event-ruler asks it. */
const IPV4_LENGTH_MAX = 15;

/**
 * Four decimal parts with leading zeros allowed (`010.0.0.1` is 10.0.0.1), or IPv6 in hexadecimal
 * groups only: `::ffff:a00:1` counts as 10.0.0.1, while `::ffff:10.0.0.1` is no address here
 * (event-ruler 2.0.1, CIDR.java and Constants.java).
 */
export function readAddress(text: string): IpAddress | undefined {
  if (!text.includes(":")) {
    if (text.length > IPV4_LENGTH_MAX) return undefined;
    return parseIpAddress(text.replace(/\b0+(?=\d)/g, ""));
  }
  const address = text.includes(".") ? undefined : parseIpAddress(text);
  return address && unmapIpv4(address);
}

/** `10.0.0.0/8` and the like; a plus sign and leading zeros in the prefix are taken, as the original does. */
export function readAddressRange(text: string): Cidr | undefined {
  const [, base = "", prefixBits] = /^([^/]*)\/\+?(\d+)$/.exec(text) ?? [];
  const address = readAddress(base);
  return address && cidrOf(address, Number(prefixBits));
}
