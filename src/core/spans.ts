/** Frames of the archive that are read together, because they lie close to each other in one segment. */
import type { Pointer } from "./enqueue/record.ts";

/** One range of one object, and which of the pointers that were asked for lie in it. */
export interface Span extends Pointer {
  readonly indexes: readonly number[];
}

/**
 * The fewest reads that leave out every gap of more than `gapBytesMax`, none of more than `bytesMax` unless a
 * single frame is. In the order of the first pointer of each segment.
 */
export function spansOf(
  pointers: readonly Pointer[],
  gapBytesMax: number,
  bytesMax: number,
): Span[] {
  const indexed = pointers.map((pointer, index) => ({ ...pointer, index }));
  const bySegment = Map.groupBy(indexed, ({ segment }) => segment);
  return [...bySegment.values()].flatMap((own) => {
    const spans: { segment: string; offset: number; length: number; indexes: number[] }[] = [];
    for (const { segment, offset, length, index } of own.sort((a, b) => a.offset - b.offset)) {
      const last = spans.at(-1);
      const end = last === undefined ? 0 : last.offset + last.length;
      const grown = Math.max(end, offset + length) - (last?.offset ?? 0);
      if (last !== undefined && offset - end <= gapBytesMax && grown <= bytesMax) {
        last.length = grown;
        last.indexes.push(index);
      } else spans.push({ segment, offset, length, indexes: [index] });
    }
    return spans;
  });
}
