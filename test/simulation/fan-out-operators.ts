/** Operators who pause, cap and cancel fan-outs as they go on. */
import { Retryable } from "../../src/core/errors.ts";
import { CANCELLED } from "../../src/flows/fan-out-page.ts";
import { FAN_OUT_STATES, type FanOutId } from "../../src/ports/fan-outs.ts";
import type { Isolates } from "./isolates.ts";
import { createLife } from "./life.ts";
import { wiredFanOuts } from "./ports.ts";
import type { Stores } from "./stores.ts";

type Request = (fanOuts: ReturnType<typeof wiredFanOuts>) => Promise<void>;

const COMMANDED = 0.4;
const TRY_AGAIN_MS = 5_000;
const PATIENCE_MS = 60_000;
/** Longer than any call. */
const HANGS_MS_MAX = 70_000;

export function createFanOutOperators(
  stores: Stores,
  isolates: Isolates,
): { readonly waiting: number } {
  const { scheduler, chance, violations, trace } = stores;
  const { aside } = chance;
  let waiting = 0;

  function act(at: FanOutId): void {
    const kind = aside.pick(["pause", "cancel", "cap"] as const);
    trace.note("operator", `${kind} fan-out`, () => at.id);
    if (kind === "cap") {
      const perSecond = aside.pick([0.5, 1, 5, null]);
      during(async (fanOuts) => void (await fanOuts.cap(at, perSecond)));
    } else if (kind === "cancel") {
      during((fanOuts) => cancel(at, fanOuts));
    } else {
      // It is resumed once the pause is answered: tried again, it may come after what was to end it.
      during(async (fanOuts) => {
        await fanOuts.move(at, ["running"], "paused", null);
        waiting += 1;
        scheduler.after(aside.between(1, 200_000), null, () => resume(at));
      });
    }
  }

  /** And once more, should a pause that hung have come after it. */
  function resume(at: FanOutId): void {
    during(async (fanOuts) => {
      await fanOuts.move(at, ["paused"], "running", null);
      await fanOuts.wake(at).catch(() => {}); // the sweeper wakes it
    });
    waiting += 1;
    scheduler.after(HANGS_MS_MAX, null, () => {
      if (stores.fanOuts.store.rows.get(`${at.tenant} ${at.id}`)?.state === "paused") resume(at);
      else waiting -= 1;
    });
  }

  /** As the route does it: also one that was cancelled by a call that did not come to its end. */
  async function cancel(at: FanOutId, fanOuts: ReturnType<typeof wiredFanOuts>): Promise<void> {
    await fanOuts.move(at, FAN_OUT_STATES, "cancelled", "cancelled by an operator");
    const fanOut = await fanOuts.fanOut(at);
    if (fanOut === null) return;
    await fanOuts.wake(at).catch(() => {});
    await fanOuts.giveUp(fanOut, CANCELLED);
  }

  /** Tried again until it is answered. */
  function during(request: Request): void {
    let isOver = false;
    const end = (isDone: boolean): void => {
      if (isOver) return;
      isOver = true;
      if (isDone) waiting -= 1;
      else scheduler.after(TRY_AGAIN_MS, null, () => during(request));
    };
    const isolate = isolates.pick();
    scheduler.after(isolate === null ? 0 : PATIENCE_MS, null, () => end(false));
    if (isolate === null) return;
    request(wiredFanOuts(stores, createLife("operator", scheduler, isolate.life))).then(
      () => end(true),
      (error: unknown) => {
        if (!(error instanceof Retryable)) violations.add(`a request fails: ${String(error)}`);
        end(false);
      },
    );
  }

  stores.fanOuts.onBegun = (at) => {
    if (!aside.happens(COMMANDED)) return;
    waiting += 1;
    scheduler.after(aside.between(0, 8_000), null, () => act(at));
  };
  return {
    get waiting() {
      return waiting;
    },
  };
}
