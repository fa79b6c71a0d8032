/** One invocation of a consumer or of the sweeper, and what the checks need to know of it. */
import type { QueueRole } from "../../src/flows/deliver-batch.ts";
import type { Life } from "./life.ts";

export interface Invocation {
  readonly life: Life;
  readonly role: QueueRole | "sweep";
  readonly startedAtMs: number;
  /** Of its claim, once it has asked for one. */
  token: string | null;
}

/** Whether it was held up or its clock jumped since `sinceMs`: then it may not know how late it is. */
export const wasDisturbed = ({ life }: Invocation, sinceMs: number): boolean =>
  !life.isAlive() || life.disturbedAtMs() >= sinceMs;
