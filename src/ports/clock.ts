/** Time and chance come from outside, so that a test or a simulation can hold both. */
import type { Timer } from "../core/enqueue/group-commit.ts";

export interface Clock {
  /** Milliseconds since 1970. On Workers it stands still between two I/O operations. */
  nowMs(): number;
  /** A timer of the current request; it ends with the request. */
  timer(ms: number): Timer;
}

export interface Random {
  bytes(count: number): Uint8Array;
  /** In [0, 1). */
  unit(): number;
}

/** Settles as `promise` does, or rejects with `late()` after `ms`; the promise itself goes on. */
export async function within<T>(
  promise: Promise<T>,
  ms: number,
  clock: Clock,
  late: () => Error,
): Promise<T> {
  const timer = clock.timer(ms);
  try {
    return await Promise.race([
      promise,
      timer.elapsed.then((): never => {
        throw late();
      }),
    ]);
  } finally {
    timer.cancel();
    promise.catch(() => {}); // it may still fail after its time
  }
}
