/** IPv4 and IPv6 addresses and ranges, read strictly: no text that others read in another way. */

export interface IpAddress {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

export interface Cidr {
  readonly family: 4 | 6;
  readonly prefixBits: number;
  /** The leading `prefixBits` bits that every address inside shares. */
  readonly prefix: bigint;
}

/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`, the longest spelling there is. */
const ADDRESS_LENGTH_MAX = 45;
const BITS = { 4: 32, 6: 128 } as const;
const GROUPS = 8;

/**
 * An IPv4 address of four decimal parts, or an IPv6 address in any form of RFC 4291 section 2.2.
 * A leading zero (`010.0.0.1`, octal to some readers), a zone (`fe80::1%eth0`) and shortened IPv4
 * (`127.1`) are refused. An IPv4-mapped IPv6 address stays IPv6: see `unmapIpv4`.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  const family = text.includes(":") ? 6 : 4;
  const bits = family === 6 ? readIpv6(text) : readIpv4(text);
  return bits === undefined ? undefined : { family, bits };
}

/** `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2) as the IPv4 address in it; others as they are. */
export function unmapIpv4(address: IpAddress): IpAddress {
  if (address.family === 4 || address.bits >> 32n !== 0xffffn) return address;
  return { family: 4, bits: address.bits & 0xffff_ffffn };
}

/** `10.0.0.0/8` (RFC 4632), `2001:db8::/32` (RFC 4291); bits behind the prefix are ignored. */
export function parseCidr(text: string): Cidr | undefined {
  const [, base = "", prefixBits] = /^([^/]{1,45})\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const address = parseIpAddress(base);
  return address && cidrOf(address, Number(prefixBits));
}

/** All addresses that share the first `prefixBits` bits; undefined when there are not so many. */
export function cidrOf(address: IpAddress, prefixBits: number): Cidr | undefined {
  const { family, bits } = address;
  const width = BITS[family];
  if (!Number.isInteger(prefixBits) || prefixBits < 0 || prefixBits > width) return undefined;
  return { family, prefixBits, prefix: bits >> BigInt(width - prefixBits) };
}

/** False for an address of the other family; unmap it first where both spellings shall count. */
export function cidrContains(cidr: Cidr, address: IpAddress): boolean {
  if (cidr.family !== address.family) return false;
  return address.bits >> BigInt(BITS[cidr.family] - cidr.prefixBits) === cidr.prefix;
}

function readIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every(isIpv4Part)) return undefined;
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function isIpv4Part(part: string): boolean {
  return /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255;
}

function readIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  const [head, tail] = halves.map(readGroups);
  if (head === undefined || halves.length > 2) return undefined;
  if (halves.length === 1) return head.length === GROUPS ? joinGroups(head) : undefined;
  // "::" stands for at least one group of zeros, and a dotted IPv4 part may only come last.
  if (tail === undefined || halves[0]?.includes(".")) return undefined;
  const zeros = GROUPS - head.length - tail.length;
  return zeros < 1 ? undefined : joinGroups([...head, ...Array<bigint>(zeros).fill(0n), ...tail]);
}

/** The 16-bit groups of `a:b:c` or `a:b:1.2.3.4`; none for an empty text. */
function readGroups(text: string): readonly bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const ipv4 = index === parts.length - 1 ? readIpv4(part) : undefined;
    if (ipv4 !== undefined) groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function joinGroups(groups: readonly bigint[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}
