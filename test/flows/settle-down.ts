/** A world that is left to itself: its queues are worked on, and the sweeper looks, until nothing more comes. */
import { QUEUES } from "../../src/core/priority.ts";
import { sweep } from "../../src/flows/sweep.ts";
import { createIsolate, type World } from "../support/memory-router.ts";
import { consume, messageOf, type TestMessage } from "./consumer.ts";

/** Works on all that is in the queues until nothing more comes, then lets the sweeper look. */
export async function settleDown(world: World, minutes = 1): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    for (let idle = 0; idle < 2; ) {
      const taken = QUEUES.flatMap((queue) =>
        world.queues.take(queue, 50).map((message) => ({ queue, message })),
      );
      idle = taken.length === 0 ? idle + 1 : 0;
      for (const queue of QUEUES) {
        const own = taken.filter((each) => each.queue === queue).map(({ message }) => message);
        const copies = own.map(
          (message): TestMessage => ({ ...messageOf(message.body), ...message, answers: [] }),
        );
        const answered = copies.map((copy) => ({
          ...copy,
          ack: () => (copy.answers.push("ack"), copy.ack()),
          retry: (seconds: number) => (copy.answers.push(seconds), copy.retry(seconds)),
        }));
        if (own.length > 0) await consume(world, queue, answered);
      }
      await world.clock.advance(1_000);
    }
    await world.clock.run(sweep("overdue", createIsolate(world).deliver));
    await world.clock.advance(60_000);
  }
}
