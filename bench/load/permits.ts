/** What one side gives and another waits for, one by one. */

export interface Permits {
  give(): void;
  /** Resolves when there is one for it, at once if it was given before, and when there will be no more. */
  take(): Promise<void>;
  end(): void;
}

export function createPermits(): Permits {
  let free = 0;
  let isOver = false;
  const waiting: (() => void)[] = [];
  return {
    give() {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
    async take() {
      if (isOver) return;
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    end() {
      isOver = true;
      for (const next of waiting.splice(0)) next();
    },
  };
}
