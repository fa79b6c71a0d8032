/** A replay's slices cover what the archive holds exactly once, for any layout, and never go back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Checkpoint,
  framesDone,
  inOrder,
  passed,
  pauseMs,
  START,
  sliceMax,
} from "../../src/core/replay.ts";

const HOURS = ["2026-01-01T00", "2026-01-01T01", "2026-01-02T00"];
const layout = fc.uniqueArray(
  fc.record({
    kind: fc.constantFrom("segments" as const, "big" as const),
    hour: fc.constantFrom(...HOURS),
    name: fc.nat(30),
    frames: fc.nat(5),
  }),
  { selector: ({ kind, hour, name }) => `${kind} ${hour} ${name}`, maxLength: 20 },
);
type Layout = ReturnType<typeof layout.generate>["value"];

const objectsOf = (
  objects: Layout,
  kind: "segments" | "big",
  after: string | null,
  count: number,
) =>
  objects
    .filter((each) => each.kind === kind)
    .map(({ hour, name, frames }) => {
      return { key: `${kind}/acme/${hour}/${String(name).padStart(2, "0")}`, frames };
    })
    .filter(({ key }) => after === null || key > after)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(0, count);

/** One slice of at most so many frames, of at most so many objects of each kind. */
function sliceOf(objects: Layout, from: Checkpoint, framesMax: number, count: number) {
  const listed = inOrder(
    objectsOf(objects, "segments", from.segments, count),
    objectsOf(objects, "big", from.big, count),
  ).slice(0, count);
  const seen: string[] = [];
  let checkpoint = from;
  for (const object of listed) {
    for (let at = framesDone(checkpoint, object.key); at < object.frames; at += 1) {
      if (seen.length === framesMax) return { seen, checkpoint };
      seen.push(`${object.key} ${at}`);
      checkpoint = passed(checkpoint, object, at + 1, object.frames);
    }
    checkpoint = passed(checkpoint, object, object.frames, object.frames);
  }
  return { seen, checkpoint };
}

const isBefore = (a: string | null, b: string | null) =>
  a === b || a === null || (b !== null && a < b);

describe("the slices of a replay", () => {
  it("cover every frame once, hour by hour, and their checkpoints never go back", () => {
    fc.assert(
      fc.property(
        layout,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 5 }),
        (objects, framesMax, count) => {
          const all: string[] = [];
          let checkpoint = START;
          for (;;) {
            const slice = sliceOf(objects, checkpoint, framesMax, count);
            expect(isBefore(checkpoint.segments, slice.checkpoint.segments)).toBe(true);
            expect(isBefore(checkpoint.big, slice.checkpoint.big)).toBe(true);
            if (JSON.stringify(slice.checkpoint) === JSON.stringify(checkpoint)) break;
            all.push(...slice.seen);
            checkpoint = slice.checkpoint;
          }
          const frames = objects.reduce((sum, each) => sum + each.frames, 0);
          expect(new Set(all).size).toBe(frames);
          expect(all).toHaveLength(frames);
          const hours = all.map((frame) => frame.split("/")[2] ?? "");
          expect(hours).toEqual(hours.toSorted());
        },
      ),
    );
  });

  it("begin an object anew when it is another than the one that was left", () => {
    const inside = passed(START, { kind: "segments", key: "segments/acme/2026-01-01T00/b" }, 2, 5);
    expect(framesDone(inside, "segments/acme/2026-01-01T00/b")).toBe(2);
    expect(framesDone(inside, "segments/acme/2026-01-01T00/a")).toBe(0);
  });

  it("keep the pace: about a second's worth at once, and the pause that it takes", () => {
    expect([0.1, 1, 50, 1_000].map(sliceMax)).toEqual([1, 1, 50, 200]);
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 1_000, noNaN: true }), fc.nat(400), (pace, made) => {
        expect(pauseMs(made, pace) * pace).toBeGreaterThanOrEqual(made * 1_000 - 1e-6);
      }),
    );
  });
});
