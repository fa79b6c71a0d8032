/** The gates of targets: what each receiver can take, decided in one place for all consumers. */
import type { Ask, GateAnswer, GateConfig, GateReport } from "../core/gate/index.ts";
import type { Limitation } from "../core/limitation.ts";
import type { Priority } from "../core/priority.ts";

export interface GateId {
  readonly tenant: string;
  readonly target: string;
}

export interface GateTold {
  readonly config: GateConfig;
  /** What became of leases. */
  readonly report: GateReport | null;
  readonly parked: ParkedForGate | null;
  readonly ask: Ask | null;
  /** Deliveries that wait for the target's batch since. */
  readonly waiting?: { readonly count: number; readonly bytes: number };
}

/** Deliveries that were parked for the target since. */
export interface ParkedForGate {
  readonly priority: Priority;
  readonly count: number;
  /** They could not be taken though the gate had room: for so long it lets nothing go. */
  readonly pauseMs: number;
  /** Their tenant has had its share of their queue. */
  readonly isShareTaken?: boolean;
}

/** What of a target's parked deliveries was let go, the most urgent first. */
export interface ReleasedParked {
  readonly priority: Priority;
  readonly count: number;
  /** Of these, those that were attempted before. */
  readonly retries: number;
  /** No more of them are parked. */
  readonly isEmpty: boolean;
  /** Those that are more are retries without a token. */
  readonly areRetries: boolean;
}

/** Times in `answer` are the gate's own; `nowMs` is when it gave it, by the same clock. */
export interface GateAnswered {
  /** Null where nothing was asked. */
  readonly answer: GateAnswer | null;
  readonly nowMs: number;
  /** How many deliveries it believes to be parked. */
  readonly parked: number;
}

export interface Gates {
  /** One call: limits and report are taken, what is parked is noted, then the ask is answered; null for nothing. */
  tell(id: GateId, told: GateTold): Promise<GateAnswered | null>;
  /** What limits the target now. */
  limits(id: GateId, config: GateConfig): Promise<readonly Limitation[]>;
  /** When the next batch goes; null: nothing is known to wait for one. */
  nextBatchMs(id: GateId): Promise<number | null>;
  /** Forgets what it holds against the receiver: an open breaker, `Retry-After`, the pace that it found out. */
  reset(id: GateId, config: GateConfig): Promise<void>;
  /** Has it look after what is parked, of which it may not have been told. Null: its limits are not known here. */
  wake(id: GateId, config: GateConfig | null): Promise<void>;
}
