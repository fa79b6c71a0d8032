/** How a gate lets parked deliveries go: as many as there is room for, and nothing while it pauses. */
import type { GateState } from "../core/gate/index.ts";
import { expecting, missed, next, released } from "../core/gate/keeper.ts";
import { GATE_RELEASE_MS, GATE_TICK_MS } from "../core/gate-limits.ts";
import { SLOW_TARGET_PAUSE_MS } from "../core/limits.ts";
import type { Priority } from "../core/priority.ts";
import { type Clock, within } from "../ports/clock.ts";
import type { GateId, ReleasedParked } from "../ports/gates.ts";
import type { ParkedMost } from "../ports/ledger.ts";
import type { GateMemory, KeptGate } from "./gate-memory.ts";

export interface ReleasePorts {
  readonly clock: Clock;
  /** Lets so many parked deliveries go, the most urgent and oldest first. */
  release(id: GateId, most: ParkedMost): Promise<readonly ReleasedParked[]>;
}

export interface GateRelease {
  /** Nothing goes before. A hint: an object that forgets it finds out again. */
  pausedUntilMs(): number;
  /** Deliveries were parked, and none is to go for so long. */
  pause(ms: number): void;
  /** Rejects when the ledger does not answer in time. */
  letGo(kept: KeptGate): Promise<void>;
}

export function createGateRelease(
  { clock, release }: ReleasePorts,
  memory: Pick<GateMemory, "kept" | "change">,
): GateRelease {
  let pausedMs = 0;
  /** Retries wait for tokens. */
  let scarceMs = 0;

  /** By a clock that went back it is over sooner. */
  const pausedUntilMs = (): number =>
    Math.max(
      Math.min(pausedMs, clock.nowMs() + SLOW_TARGET_PAUSE_MS),
      Math.min(scarceMs, clock.nowMs() + GATE_TICK_MS),
    );

  return {
    pausedUntilMs,

    pause(ms) {
      scarceMs = 0; // what was parked now may be something else
      pausedMs = Math.max(pausedUntilMs(), clock.nowMs() + ms);
    },

    async letGo({ id, state: before, config }) {
      const { release: count, retries } = next(before, config, clock.nowMs());
      if (count === 0 || clock.nowMs() < pausedUntilMs()) return;
      const late = () => new Error("the ledger did not answer in time");
      // Their consumers may ask before the ledger has said how many there are.
      memory.change((known) => expecting(known, { fresh: count, retries }, clock.nowMs()));
      let gone: readonly ReleasedParked[] = [];
      try {
        gone = await within(release(id, { count, retries }), GATE_RELEASE_MS, clock, late);
      } finally {
        const went = { count: sumOf("count", gone), retries: sumOf("retries", gone) };
        const less = { fresh: count - went.count + went.retries, retries: retries - went.retries };
        memory.change((known) => missed(known, less, clock.nowMs()));
      }
      for (const said of gone) {
        // What was told of meanwhile the ledger may not have had yet.
        const now = memory.kept?.state ?? before;
        const isNews = parkedOf(now, said.priority) > parkedOf(before, said.priority);
        const isEmpty = said.isEmpty && !isNews;
        const areRetries = said.areRetries && !isNews;
        memory.change((known) => released(known, { ...said, isEmpty, areRetries }, clock.nowMs()));
      }
      // Something is left that may not go: retries, most of the time, for which a token has to come.
      const isScarce = sumOf("count", gone) < count && gone.some(({ isEmpty }) => !isEmpty);
      if (isScarce) scarceMs = clock.nowMs() + GATE_TICK_MS;
    },
  };
}

const sumOf = (what: "count" | "retries", gone: readonly ReleasedParked[]): number =>
  gone.reduce((all, said) => all + said[what], 0);

const parkedOf = ({ backlog }: GateState, priority: Priority): number =>
  backlog[priority]?.count ?? 0;
