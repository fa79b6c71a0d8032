/** What operators say of the queues; consumers hear of it with each claim. */
import type { QueueName } from "../core/priority.ts";
import type { QueueControl } from "../core/queue-control.ts";
import type { IfVersion } from "./config.ts";

export type QueueControlBody = Pick<QueueControl, "isPaused" | "concurrency" | "delaySeconds">;

export interface QueueControls {
  read(): Promise<readonly QueueControl[]>;
  /** Null when it has another version than was asked for. */
  put(queue: QueueName, body: QueueControlBody, ifVersion: IfVersion): Promise<QueueControl | null>;
  /** Leaves everything else as it is. */
  pause(queue: QueueName, isPaused: boolean): Promise<QueueControl>;
}
