/**
 * The turns of a batch's lease. One is taken when the next attempt is chosen, and used when it begins: what is held up
 * between the two keeps the interval to what began before it. Times are of the gate's clock.
 */
import type { KeyLimit } from "../core/deliver/schedule.ts";
import { type Grant, nextTurn } from "../core/gate/index.ts";
import { GATE_HELD_UP_LOOK_MS } from "../core/gate-limits.ts";

export interface GateTurns extends Pick<KeyLimit, "waitMs" | "take"> {
  /**
   * Milliseconds until what has taken a turn may begin: held up meanwhile, it would come too soon after another that
   * was, or when its slot is somebody else's. At 0 it is to begin now, or to leave; null: not any more.
   */
  beginsInMs(): number | null;
  /** What had taken a turn begins. */
  begin(): void;
  /** What had taken a turn does not begin: another may, at its pace. */
  leave(): void;
  /** Nobody has taken one that has not begun. */
  readonly areUsed: boolean;
  /** There are no others. */
  readonly areOver: boolean;
  /** As many as were granted have been taken. */
  readonly areTaken: boolean;
}

/** `grantOf` answers null where nothing was granted. */
export function createGateTurns(grantOf: () => Grant | null, nowMs: () => number): GateTurns {
  let [taken, used, begun] = [0, 0, 0];
  /** The next to be taken, and when the one before it was to begin. */
  let turn = 0;
  let lastStartMs: number | null = null;
  /** The same of those that were used, which may be later than they were to. */
  let usedTurn = 0;
  let usedAtMs: number | null = null;

  /** Behind those that are held up: they begin an interval apart. */
  function ahead() {
    const grant = grantOf();
    if (grant === null) return null;
    const now = nowMs();
    const { intervalMs } = grant;
    const heldUp = taken - used;
    if (heldUp === 0 || intervalMs === 0) return nextTurn(grant, turn, now, lastStartMs);
    const behindMs = Math.max(usedAtMs ?? 0, now - intervalMs) + heldUp * intervalMs;
    return nextTurn(grant, turn, now, Math.max(behindMs, lastStartMs ?? 0));
  }

  function toBegin() {
    const grant = grantOf();
    return grant === null ? null : nextTurn(grant, usedTurn, nowMs(), usedAtMs);
  }

  // Timers know whole milliseconds.
  const inMs = (found: { readonly atMs: number } | null): number | null =>
    found === null ? null : Math.max(0, Math.ceil(found.atMs - nowMs()));

  function use(): void {
    usedTurn = (toBegin()?.turn ?? usedTurn) + 1;
    usedAtMs = nowMs();
    used += 1;
    turn = Math.max(turn, usedTurn);
    lastStartMs = usedAtMs;
  }

  return {
    waitMs() {
      const waitMs = inMs(ahead());
      const isHeldUp = taken > used && waitMs !== null && waitMs > 0;
      return isHeldUp ? Math.max(GATE_HELD_UP_LOOK_MS, waitMs) : waitMs;
    },
    take() {
      turn = (ahead()?.turn ?? turn) + 1;
      taken += 1;
      lastStartMs = nowMs();
    },
    beginsInMs() {
      const waitMs = inMs(toBegin());
      if (waitMs === 0) use();
      return waitMs;
    },
    begin() {
      if (used === begun) use();
      begun += 1;
    },
    leave() {
      if (taken === begun) return;
      taken -= 1;
      if (used > begun) {
        used -= 1;
        usedTurn -= 1;
      }
      turn = Math.max(usedTurn, turn - 1);
      lastStartMs = usedAtMs;
    },
    get areUsed() {
      return begun === taken;
    },
    get areOver() {
      return ahead() === null;
    },
    get areTaken() {
      return turn >= (grantOf()?.count ?? 0);
    },
  };
}
