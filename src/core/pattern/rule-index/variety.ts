/** Roughly how many different tests rules have at one place: the more, the more each tells. */

const BITS = 1_024;
/** Above that many nothing changes: they tell enough, and the next ones are hardly told apart. */
const COUNT_MAX = 896;
/** A text that differs later only counts as the same, which costs some precision. */
const CHARACTERS_MAX = 64;

/** Counts what is different, by hash, in little space. What was counted stays. */
export class Variety {
  readonly #bits = new Uint32Array(BITS / 32);
  count = 0;

  get isFull(): boolean {
    return this.count >= COUNT_MAX;
  }

  add(text: string): void {
    const bit = hashOf(text) % BITS;
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    const bits = this.#bits[word] ?? 0;
    if ((bits & mask) !== 0) return;
    this.#bits[word] = bits | mask;
    this.count += 1;
  }
}

/** FNV-1a, with the last step that spreads it over the low bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < Math.min(text.length, CHARACTERS_MAX); at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
