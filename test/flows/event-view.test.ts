/** An archived event as patterns saw it: rebuilt from its own bytes, or said to be gone. */
import { beforeEach, describe, expect, it } from "vitest";
import { platformText } from "../../src/adapters/crypto.ts";
import type { Pointer } from "../../src/core/enqueue/record.ts";
import { eventOf } from "../../src/core/event.ts";
import { ARCHIVED_VIEW_BYTES_MAX } from "../../src/core/limits.ts";
import { archivedEvent } from "../../src/flows/event-view.ts";
import { createMemoryArchive, type MemoryArchive } from "../support/memory-archive.ts";
import { frameOf, recordOf } from "../support/memory-records.ts";

let archive: MemoryArchive;

beforeEach(() => {
  archive = createMemoryArchive(platformText);
});

async function put(body: string | Uint8Array): Promise<Pointer> {
  const { bytes } = frameOf({}, body);
  await archive.put("acme/segments/1", [bytes]);
  return { segment: "acme/segments/1", offset: 0, length: bytes.length };
}

const view = (pointer: Pointer) => archivedEvent(pointer, { archive, text: platformText });

describe("an archived event", () => {
  it("is what its rules saw when it came", async () => {
    const event = await view(await put('{"kind":"order"}'));
    expect(event?.record).toEqual(recordOf());
    expect(event?.event).toEqual(eventOf(recordOf(), { data: { kind: "order" } }));
  });

  it("that is very large is shown without its data, and its body is not read", async () => {
    const pointer = await put(new Uint8Array(ARCHIVED_VIEW_BYTES_MAX));
    archive.frame = () => Promise.reject(new Error("the body is read"));
    expect((await view(pointer))?.event).toMatchObject({ data: {}, dataOmitted: "too-large" });
  });

  it("that is not there, or no whole frame, is null", async () => {
    const pointer = await put("{}");
    expect(await view({ ...pointer, segment: "acme/segments/2" })).toBeNull();
    expect(await view({ ...pointer, offset: 1 })).toBeNull();
    expect(await view({ ...pointer, length: pointer.length - 1 })).toBeNull();
    expect(await view({ ...pointer, offset: 9e6, length: ARCHIVED_VIEW_BYTES_MAX + 1 })).toBeNull();
  });
});
