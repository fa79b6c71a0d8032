/** What a crash run of a fan-out will do: its list, which elements are refused, and when the engine is killed. */
import { createHash } from "node:crypto";

export interface FanOutCrashOptions {
  readonly seed: number;
  readonly elements: number;
  /** By SIGKILL, spread over the elements; every other one hits the whole process group. */
  readonly kills: number;
}

/** Of the elements, until the receiver is healed. */
const REFUSED_SHARE = 0.03;

export const elementOf = (seed: number, index: number): { n: number; to: string } => ({
  n: index,
  to: `${createHash("sha256").update(`${seed} ${index}`).digest("hex").slice(0, 20)}@example.com`,
});

/** The same whenever it is asked. */
export function isRefused(seed: number, index: number): boolean {
  const digest = createHash("sha256").update(`refused ${seed} ${index}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < REFUSED_SHARE;
}

export const refusedOf = ({ seed, elements }: FanOutCrashOptions): number[] =>
  Array.from({ length: elements }, (_, index) => index).filter((index) => isRefused(seed, index));

/** After how many elements have come each kill follows; with one it is half way. */
export const killsOf = ({ elements, kills }: FanOutCrashOptions): number[] =>
  Array.from({ length: kills }, (_, at) => Math.floor((elements * (at + 1)) / (kills + 1)));
