/** Waits for a state, never for a time. */
import { setTimeout as sleep } from "node:timers/promises";

/** The first answer of `ask` that satisfies `isDone`; rejects with the last one after `withinMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  isDone: (answer: T) => boolean,
  withinMs = 20_000,
): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    if (Date.now() > end)
      throw new Error(`Not within ${withinMs} ms; last: ${JSON.stringify(answer)}`);
    await sleep(25);
  }
}
