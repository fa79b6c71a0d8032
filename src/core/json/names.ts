/** The keys of JSON values that someone looks at: what else stands there need not be read. */
import { parsePointer } from "./pointer.ts";

/** As a tree. Arrays are no level of it: a name means that of each element. */
export interface Names {
  /** The key that leads here. */
  readonly step: string;
  readonly next: ReadonlyMap<string, Names>;
  /** The `telltale` of each key in `next`, and maybe of others. */
  readonly telltales: number;
  /** Whether all that stands here is looked at, named or not. */
  readonly whole?: boolean;
}

interface GrowingNames extends Names {
  readonly next: Map<string, GrowingNames>;
  telltales: number;
  whole?: boolean;
}

/**
 * One bit out of 32, by the length of a key and the unit behind its opening quote: most keys that
 * are none of the names can be told by it without making strings of them.
 */
export const telltale = (length: number, first: number): number => 1 << (length * 5 + first);

export const telltaleOf = (key: string): number => telltale(key.length, `${key}"`.charCodeAt(0));

const named = (step: string): GrowingNames => ({ step, next: new Map(), telltales: 0 });

const NO_NAMES: Names = named("");

/** An index in a pointer may be a key as well, so all that stands around it counts. */
export function namesOfPointers(pointers: Iterable<string>): Names {
  const root = named("");
  for (const pointer of pointers) {
    let node = root;
    for (const step of (parsePointer(pointer) ?? []).flatMap((key) => key.split("."))) {
      if (/^\d+$/.test(step)) {
        node.whole = true;
        break;
      }
      const child = node.next.get(step) ?? named(step);
      node.next.set(step, child);
      node.telltales |= telltaleOf(step);
      node = child;
    }
  }
  return root;
}

/** What stands in either. Copies the parts that both have, so `few` is the smaller one. */
export function joinNames(many: Names | undefined, few: Names | undefined): Names {
  if (many === undefined || few === undefined) return many ?? few ?? NO_NAMES;
  if (few.next.size === 0 && few.whole !== true) return many;
  const { step } = many;
  const next = new Map(many.next);
  for (const [key, names] of few.next) next.set(key, joinNames(many.next.get(key), names));
  const telltales = many.telltales | few.telltales;
  const whole = many.whole === true || few.whole === true;
  return { step, next, telltales, whole };
}
