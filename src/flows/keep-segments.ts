/** The bytes of a batch at rest: one object per tenant and hour, before anything relies on it. */
import { Retryable } from "../core/errors.ts";
import { ARCHIVE_PUT_TIMEOUT_MS } from "../core/limits.ts";
import { within } from "../ports/clock.ts";
import { errorText } from "../ports/log.ts";
import type { Claimed } from "./claim.ts";
import type { DeliverPorts } from "./ports.ts";

/** Tries of one segment before its events are left to the queue's redelivery; together well within the lease. */
const ARCHIVE_TRIES_MAX = 3;
const ARCHIVE_PAUSE_MS = 200;

/** Whether all segments are at rest; starts at once and is awaited before anything relies on it. */
export async function keepSegments(
  { segments }: Pick<Claimed, "segments">,
  ports: DeliverPorts,
): Promise<boolean> {
  const kept = await Promise.all(
    segments.map(async (segment) => {
      const parts = segment.events.flatMap(({ frame }) => (frame === null ? [] : [frame.bytes]));
      for (let tries = 1; tries <= ARCHIVE_TRIES_MAX; tries += 1) {
        try {
          const late = () => new Retryable("the archive did not answer in time");
          await within(
            ports.archive.put(segment.key, parts),
            ARCHIVE_PUT_TIMEOUT_MS,
            ports.clock,
            late,
          );
          return true;
        } catch (error) {
          const { key } = segment;
          ports.log.error("archive-failed", { segment: key, tries, error: errorText(error) });
          await ports.clock.timer(ARCHIVE_PAUSE_MS * tries).elapsed;
        }
      }
      return false;
    }),
  );
  return kept.every((ok) => ok);
}
