/** Finds the address ranges that hold an address: one look-up for each prefix length in use. */
import type { Cidr } from "../../ip.ts";
import { readAddress } from "../address.ts";
import type { Group, Search } from "./group.ts";

const WIDTH = { 4: 32, 6: 128 } as const;

interface Ranges {
  readonly family: 4 | 6;
  readonly shift: bigint;
  readonly byPrefix: Map<bigint, Group>;
}

export class CidrIndex {
  /** By family and prefix length. */
  readonly #ranges = new Map<number, Ranges>();
  size = 0;

  add(cidr: Cidr, group: Group): void {
    const { family, prefixBits, prefix } = cidr;
    const key = keyOf(cidr);
    const ranges = this.#ranges.get(key) ?? {
      family,
      shift: BigInt(WIDTH[family] - prefixBits),
      byPrefix: new Map(),
    };
    this.#ranges.set(key, ranges);
    ranges.byPrefix.set(prefix, group);
    this.size += 1;
  }

  remove(cidr: Cidr): void {
    const key = keyOf(cidr);
    const ranges = this.#ranges.get(key);
    if (!ranges?.byPrefix.delete(cidr.prefix)) return;
    if (ranges.byPrefix.size === 0) this.#ranges.delete(key);
    this.size -= 1;
  }

  find(text: string, search: Search): void {
    const address = readAddress(text);
    if (address === undefined) return;
    for (const { family, shift, byPrefix } of this.#ranges.values()) {
      if (family !== address.family) continue;
      const group = byPrefix.get(address.bits >> shift);
      if (group) search.reach(group, text);
    }
  }
}

function keyOf({ family, prefixBits }: Cidr): number {
  return family * 1_000 + prefixBits;
}
