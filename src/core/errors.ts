/** Errors outside the core, named by what whoever catches them must do. */

/** Try again later: a store or a service did not answer, or said so itself. */
export class Retryable extends Error {
  override readonly name = "Retryable";
  readonly retryAfterMs: number;
  constructor(message: string, retryAfterMs = 1_000, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Our bug. */
export class Invariant extends Error {
  override readonly name = "Invariant";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Invariant(message);
}
