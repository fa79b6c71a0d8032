/** What limits something right now, by whom and since when: one shape for queues, targets and tenants. */
import { GATE_REASONS } from "./gate/state.ts";

/** A gate's own reasons, and what it knows nothing of: operators, consumers as they were deployed, and rules. */
export const LIMITERS = ["operator", ...GATE_REASONS, "platform", "rule"] as const;
export type Limiter = (typeof LIMITERS)[number];

export interface Limitation {
  readonly by: Limiter;
  readonly sinceMs: number;
  /** Null: until something is reported, or done by a person. */
  readonly untilMs: number | null;
  readonly detail: string;
}
