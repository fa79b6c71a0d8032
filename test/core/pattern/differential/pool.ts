/** Processes that compare seeds, one for each core. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Compared } from "./compare.ts";
import { PLANTED } from "./planted.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Every planted bug is given away within so many. */
export const SEEDS_PER_BUG = 60;

type Answer = Compared | { readonly failed: string };

async function startWorker(...planted: readonly string[]): Promise<ChildProcess> {
  const child = fork(WORKER, planted, { execArgv: ["--no-warnings"] });
  await answerOf<string>(child);
  return child;
}

async function answerOf<Message>(child: ChildProcess): Promise<Message> {
  const answered = new AbortController();
  const ended = once(child, "exit", { signal: answered.signal }).then(([code]): never => {
    throw new Error(`a process of the comparison ended with ${code}`);
  });
  ended.catch(() => {}); // it is not waited for any more once there is an answer
  try {
    const [message] = await Promise.race([once(child, "message"), ended]);
    return message as Message;
  } finally {
    answered.abort();
  }
}

async function compared(child: ChildProcess, seed: number): Promise<Answer> {
  child.send(seed);
  return answerOf<Answer>(child);
}

/** Compares seed after seed until `isEnough`; rejects when the matcher itself fails. */
export async function compareSeeds(
  fromSeed: number,
  isEnough: (total: Compared) => boolean,
): Promise<Compared> {
  let total: Compared = { cases: 0, rules: 0, matches: 0, differences: [] };
  let next = fromSeed;
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      const child = await startWorker();
      try {
        while (!isEnough(total)) {
          const seed = next;
          next += 1;
          const answer = await compared(child, seed);
          if ("failed" in answer) throw new Error(`seed ${seed}: ${answer.failed}`);
          total = {
            cases: total.cases + answer.cases,
            rules: total.rules + answer.rules,
            matches: total.matches + answer.matches,
            differences: [...total.differences, ...answer.differences],
          };
        }
      } finally {
        child.kill();
      }
    }),
  );
  return total;
}

export interface Hunt {
  readonly name: string;
  /** Null: no seed gave it away. */
  readonly seed: number | null;
}

export async function huntPlanted(
  names: readonly string[] = PLANTED.map(({ name }) => name),
): Promise<Hunt[]> {
  const waiting = [...names];
  const hunts: Hunt[] = [];
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        hunts.push({ name, seed: await hunt(name) });
      }
    }),
  );
  return hunts;
}

async function hunt(name: string): Promise<number | null> {
  const child = await startWorker(name);
  try {
    for (let seed = 1; seed <= SEEDS_PER_BUG; seed += 1) {
      const answer = await compared(child, seed);
      if ("failed" in answer || answer.differences.length > 0) return seed;
    }
    return null;
  } finally {
    child.kill();
  }
}
