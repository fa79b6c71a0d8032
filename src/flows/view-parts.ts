/** What an operator reads of several stores: one that does not answer hides nothing that the others know. */
import { Retryable } from "../core/errors.ts";
import { VIEW_PART_TIMEOUT_MS } from "../core/operator-limits.ts";
import { type Clock, within } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";

export interface ViewParts<Part extends string> {
  /** What is read, or `otherwise` where that fails or does not come in time. Never rejects. */
  read<Read, Else>(part: Part, reading: () => Promise<Read>, otherwise: Else): Promise<Read | Else>;
  /** Parts that could not be read, each once. */
  unknown(): Part[];
}

export function viewParts<Part extends string>(
  view: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): ViewParts<Part> {
  const unread = new Set<Part>();
  return {
    async read(part, reading, otherwise) {
      const late = () => new Retryable("no answer in time");
      try {
        return await within(reading(), VIEW_PART_TIMEOUT_MS, clock, late);
      } catch (error) {
        unread.add(part);
        log.warn("view-incomplete", { view, part, error: errorText(error) });
        return otherwise;
      }
    },
    unknown: () => [...unread].sort(),
  };
}
