/** Many events at once, which are only to wait in a queue. */
import type { Router, System } from "../../systems.ts";

/** Events of one request, in CloudEvents' batch format. */
const BATCH = 100;
const SENDERS = 4;

let sentBefore = 0;

/** Resolves when at least `count` are accepted. */
export async function sendEvents({ origin }: System, path: string, count: number): Promise<void> {
  let sent = 0;
  const event = (at: number) => ({
    ...{ specversion: "1.0", type: "order", source: "/bench", id: `${process.pid}-${at}` },
    data: { order: at },
  });
  const send = async (): Promise<void> => {
    while (sent < count) {
      const from = sentBefore + sent;
      sent += BATCH;
      const events = Array.from({ length: BATCH }, (_, at) => event(from + at));
      const response = await fetch(`${origin}${path}`, {
        method: "POST",
        headers: { "content-type": "application/cloudevents-batch+json" },
        body: JSON.stringify(events),
      });
      if (response.status !== 202) throw new Error(`A batch got ${response.status}.`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  sentBefore += sent;
}

/** What waits rests where it is, so that critical events are alone; to work it off would take minutes. */
export async function rest({ admin }: Router, command: "pause" | "resume"): Promise<void> {
  for (const priority of ["normal", "bulk"]) await admin.post(`queues/${priority}/${command}`);
  await new Promise((resolve) => setTimeout(resolve, RESTS_AFTER_MS));
}

/** A pause holds within a second, and what was being sent then ends. */
const RESTS_AFTER_MS = 3_000;
