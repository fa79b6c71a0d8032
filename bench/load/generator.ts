/** The handle of the load process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { DELIVERED, type Job, type Outcome } from "./job.ts";

export interface Generator {
  /** Runs one job; nothing else is asked of the process meanwhile. */
  run(job: Job): Promise<Outcome>;
  /** Of a job that waits for delivery: one more has come. */
  delivered(): void;
  stop(): void;
}

export function startGenerator(): Generator {
  const child = fork(fileURLToPath(new URL("process.ts", import.meta.url)), {
    serialization: "advanced",
  });
  return {
    async run(job) {
      child.send(job);
      const ended = new AbortController();
      const died = once(child, "exit", { signal: ended.signal }).then((): never => {
        throw new Error("The load process ended.");
      });
      try {
        const [outcome] = await Promise.race([once(child, "message"), died]);
        return outcome as Outcome;
      } finally {
        died.catch(() => {});
        ended.abort();
      }
    },
    delivered: () => void (child.connected && child.send(DELIVERED)),
    stop: () => child.disconnect(),
  };
}
