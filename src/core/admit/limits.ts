/** Limits of what a tenant's limiter remembers of itself, beside those in `src/core/limits.ts`. */

/** What was admitted and refused is told of one window and up to two. */
export const USAGE_WINDOW_MS = 60_000;
/** A limit that has refused nothing for so long limits nothing any more, as a gate's reason. */
export const USAGE_LIMITED_MS = 10_000;
