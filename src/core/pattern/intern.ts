/** One object for all that are equal: thousands of rules say the same of the same few places. */

/** Of each generation. What comes again among as many others is still known. */
const KNOWN_MAX = 16_384;

export class Interned<Value> {
  #young = new Map<string, Value>();
  /** Forgotten when the young ones are as many. */
  #old = new Map<string, Value>();

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= KNOWN_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

const texts = new Interned<string>();

/** The same text; in memory, the one that was met first. */
export function intern(text: string): string {
  const before = texts.get(text);
  if (before === undefined) texts.set(text, text);
  return before ?? text;
}
