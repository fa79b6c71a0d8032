/** One string for all that are equal: thousands of rules name the same few places of events. */

/** Forgotten all at once when there are more: what many rules name is soon known again. */
const KNOWN_MAX = 10_000;
const known = new Map<string, string>();

/** The same text; in memory, the one that was met first. */
export function intern(text: string): string {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(text, text);
  return text;
}
