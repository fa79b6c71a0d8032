/** How long a receiver asked everybody to wait, counted from its answer by the clock of who heard it. */
export interface AskedWait {
  readonly askedMs: number;
  readonly untilMs: number;
}

export const NO_WAIT: AskedWait = { askedMs: 0, untilMs: 0 };

/** The one that ends later. */
export const longer = (wait: AskedWait, askedMs: number, nowMs: number): AskedWait =>
  nowMs + askedMs > wait.untilMs ? { askedMs, untilMs: nowMs + askedMs } : wait;

/** By a clock that was set back meanwhile no more is left than was asked for. */
export const leftMs = ({ askedMs, untilMs }: AskedWait, nowMs: number): number =>
  Math.min(askedMs, Math.max(0, untilMs - nowMs));
