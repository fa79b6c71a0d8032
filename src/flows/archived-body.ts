/** The body of an event whose bytes rest in the archive. */
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export async function archivedBody(
  held: HeldEvent,
  ports: DeliverPorts,
): Promise<{ stream: ReadableStream<Uint8Array>; bytes: number }> {
  const { pointer, bodyOffset, bodyBytes } = held;
  const stream =
    pointer === null
      ? null
      : await ports.archive.stream(pointer.segment, pointer.offset + bodyOffset, bodyBytes);
  if (stream === null) throw new Error("the archived body is not there");
  return { stream, bytes: bodyBytes };
}
