/** The first thing that must not be. What comes after it is its consequence. */
export interface Violation {
  readonly sentence: string;
  /** The event it is about, if it is about one. */
  readonly event: string | null;
}

export interface Violations {
  readonly first: Violation | null;
  add(sentence: string, event?: string | null): void;
}

export function createViolations(onFirst: () => void): Violations {
  let first: Violation | null = null;
  return {
    get first() {
      return first;
    },
    add(sentence, event = null) {
      if (first !== null) return;
      first = { sentence, event };
      onFirst();
    },
  };
}
