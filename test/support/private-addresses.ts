/** Private addresses, and every spelling that a URL's parser or a network turns into one of them. */
import fc from "fast-check";

export const V4_RANGES = [
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
export const V6_RANGES = [
  ["::", 96],
  ["64:ff9b::", 96],
  ["100::", 64],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const;

export type Octets = readonly [number, number, number, number];

const octetsOf = (address: number): Octets => [
  address >>> 24,
  (address >>> 16) & 255,
  (address >>> 8) & 255,
  address & 255,
];
export const addressOf = (dotted: string): number =>
  dotted.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

/** Any address in a range, its edges among them. */
export const privateV4 = fc
  .tuple(fc.constantFrom(...V4_RANGES), fc.oneof(fc.nat(), fc.constantFrom(0, 0xffffffff, 1)))
  .map(([[net, bits], host]) => octetsOf(addressOf(net) + ((host >>> 0) % 2 ** (32 - bits))));

const hex = (value: number): string => `0x${value.toString(16)}`;
const octal = (value: number): string => `0${value.toString(8)}`;
const wide = (text: string): string =>
  text.replace(/[0-9]/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
const escaped = (text: string): string =>
  text.replace(/[0-9]/g, (digit) => `%${digit.charCodeAt(0).toString(16)}`);
const circled = (text: string): string =>
  text.replace(/[0-9]/g, (digit) =>
    digit === "0" ? "⓪" : String.fromCodePoint(0x245f + Number(digit)),
  );
const group = (high: number, low: number): string => (high * 256 + low).toString(16);

export const V4_SPELLINGS: Readonly<Record<string, (octets: Octets) => string>> = {
  dotted: (o) => o.join("."),
  "with two final dots": (o) => `${o.join(".")}..`,
  "with tabs and line ends": (o) => o.join("\t.\r\n"),
  "with soft hyphens": (o) => o.join("\u00ad."),
  "circled digits": (o) => circled(o.join(".")),
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
  "IPv4-mapped with a zone": (o) => `[::ffff:${o.join(".")}%25eth0]`,
  "IPv4-compatible": (o) => `[::${o.join(".")}]`,
  "IPv4-translated": (o) => `[::ffff:0:${o.join(".")}]`,
  NAT64: (o) => `[64:ff9b::${o.join(".")}]`,
  "6to4": ([a, b, c, d]) => `[2002:${group(a, b)}:${group(c, d)}::1]`,
  Teredo: ([a, b, c, d]) =>
    `[2001:0:1:1:0:0:${group(~a & 255, ~b & 255)}:${group(~c & 255, ~d & 255)}]`,
};

export const privateV6 = fc
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

export const plain = (groups: readonly number[]): string =>
  groups.map((each) => each.toString(16)).join(":");

export const V6_SPELLINGS: Readonly<Record<string, (groups: readonly number[]) => string>> = {
  plain,
  "with a zone": (g) => `${plain(g)}%25eth0`,
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

/** The host of a URL: a private address of either kind in any spelling. */
export const privateHost: fc.Arbitrary<string> = fc.oneof(
  fc
    .tuple(privateV4, fc.constantFrom(...Object.values(V4_SPELLINGS)))
    .map(([octets, spell]) => spell(octets)),
  fc
    .tuple(privateV6, fc.constantFrom(...Object.values(V6_SPELLINGS)))
    .map(([groups, spell]) => `[${spell(groups)}]`),
);

/** What stands around a host and leaves it what it is. */
export const urlAround = (host: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      host,
      fc.constantFrom("https://", "https:", "https:\\\\", "HTTPS:////", " https://"),
      fc.constantFrom("", ":443", ":8443", ":0443"),
      fc.constantFrom("", "/", "/in?a=b", "#@example.com", "?@example.com", "\\@example.com"),
    )
    .map((parts) => {
      const [name, scheme, port, path] = parts;
      return `${scheme}${name}${port}${path}`;
    });
