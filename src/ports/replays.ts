/** Replays: slices of the past that are sent once more, and who drives them. */
import type { Checkpoint, ReplayQuery } from "../core/replay.ts";
import type { DeliveryState } from "../core/settle.ts";
import type { DeliveryKey, FirstClaim } from "./claim.ts";

export const REPLAY_STATES = ["running", "paused", "done", "cancelled"] as const;
export type ReplayState = (typeof REPLAY_STATES)[number];

export interface ReplayId {
  readonly tenant: string;
  readonly id: string;
}

export interface Replay extends ReplayId {
  readonly query: ReplayQuery;
  /** "done" when all that it selected is on its way; the states of its deliveries tell the rest. */
  readonly state: ReplayState;
  /** Rises with every slice. */
  readonly rev: number;
  readonly checkpoint: Checkpoint;
  /** When the last event that was looked at was received. */
  readonly reachedAtMs: number | null;
  /** Events that were looked at, copies included; deliveries that were made; bytes that are no event. */
  readonly examined: number;
  readonly deliveries: number;
  readonly unreadableBytes: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A delivery that a slice makes of an archived event. */
export interface ReplayedDelivery
  extends DeliveryKey,
    Pick<FirstClaim, "receipt" | "source" | "type"> {
  readonly rule: string;
  readonly target: string;
  readonly revision: number;
  readonly pointer: FirstClaim["pointer"];
  /** It is made only if the ledger knows its event: otherwise that comes by itself, or was never accepted. */
  readonly mayBeQueued: boolean;
}

export interface Slice {
  readonly deliveries: readonly ReplayedDelivery[];
  /** Where the next one begins. */
  readonly checkpoint: Checkpoint;
  readonly reachedAtMs: number | null;
  readonly examined: number;
  readonly unreadableBytes: number;
  /** Nothing is left to look at. */
  readonly isLast: boolean;
}

export interface Replays {
  create(replay: ReplayId, query: ReplayQuery): Promise<void>;
  replay(replay: ReplayId): Promise<Replay | null>;
  /** Newest first, from after the id `after`. */
  replays(
    tenant: string,
    after: string | null,
    count: number,
  ): Promise<{ readonly items: readonly Replay[]; readonly after: string | null }>;
  /** Its deliveries that the ledger still has, by state. */
  states(replay: ReplayId): Promise<Readonly<Partial<Record<DeliveryState, number>>>>;
  /** Changes the state from one of `from`; false when it is in another. */
  move(replay: ReplayId, from: readonly ReplayState[], to: ReplayState): Promise<boolean>;
  /** Gives up what of it is still owed, and says why; answers how many. What is being sent is not stopped. */
  giveUp(replay: ReplayId, why: string): Promise<number>;
  /**
   * Writes a slice's deliveries and its checkpoint, all or nothing: nothing unless the replay is running and
   * still at `rev`, which answers null. Answers those that are new: one that the replay has already made, or
   * of a receipt that the ledger suppressed, is not.
   */
  advance(replay: ReplayId, rev: number, slice: Slice): Promise<readonly ReplayedDelivery[] | null>;
}

/** What the sweeper needs to know of replays. */
export interface Replayers {
  /** Running ones that have not moved for a while. */
  overdue(count: number): Promise<readonly ReplayId[]>;
  /** Has one go on, if it is not about to anyway. */
  wake(replay: ReplayId): Promise<void>;
}
