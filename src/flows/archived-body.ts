/** The body of an event whose bytes rest in the archive. */
import { Retryable } from "../core/errors.ts";
import { ARCHIVE_READ_TIMEOUT_MS } from "../core/limits.ts";
import { within } from "../ports/clock.ts";
import type { HeldEvent } from "./open-messages.ts";
import type { DeliverPorts } from "./ports.ts";

export const archiveLate = () => new Retryable("the archive did not answer in time");
export const NOT_THERE = "the archived body is not there";

export async function archivedBody(
  held: HeldEvent,
  ports: DeliverPorts,
): Promise<{ stream: ReadableStream<Uint8Array>; bytes: number }> {
  const { pointer, bodyOffset, bodyBytes } = held;
  if (pointer === null) throw new Error(NOT_THERE);
  const { segment, offset } = pointer;
  const opening = ports.archive.stream(segment, offset + bodyOffset, bodyBytes);
  const stream = await within(opening, ARCHIVE_READ_TIMEOUT_MS, ports.clock, () => {
    // Nobody reads what opens after all.
    void opening.then((unread) => unread?.cancel()).catch(() => {});
    return archiveLate();
  });
  if (stream === null) throw new Error(NOT_THERE);
  return { stream, bytes: bodyBytes };
}
