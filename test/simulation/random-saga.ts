/** A saga of a simulated run: by chance, of all kinds of steps. */
import type { NodeDoc, SagaDoc, StepDoc } from "../../src/core/saga/definition.ts";
import { SAGA_TARGETS } from "./saga-targets.ts";

const RETRIES = [{ delaysSeconds: [1, 1, 2] }, { delaysSeconds: [1, 1, 2, 2, 2] }];
const UNDO_RETRY = { delaysSeconds: [1, 1, 2, 2, 4, 4, 4] };

/** Any kinds of steps, one after another and side by side. */
export function randomSaga(
  chance: (share: number) => boolean,
  upTo: (most: number) => number,
  pick: <Item>(items: readonly Item[]) => Item,
): SagaDoc {
  if (chance(0.08)) return undoneWhileAwaited(5 + upTo(30), pick(SAGA_TARGETS));
  let made = 0;
  let isPastPivot = false;
  const step = (isAlone: boolean): StepDoc => {
    made += 1;
    const name = `s${made}`;
    const kind = upTo(10);
    const onTimeout = pick(["compensate", "continue", "stuck"] as const);
    if (kind === 0) return { name, delay: { seconds: 1 + upTo(20) } };
    if (kind === 1)
      return { name, wait: { event: { type: ["paid"] }, timeoutSeconds: 40, onTimeout } };
    if (kind === 2) return { name, approve: { timeoutSeconds: 40, onTimeout } };
    const target = chance(0.4) ? pick(SAGA_TARGETS) : null;
    const http = (path: string) => ({
      http: {
        ...(target === null ? { url: `https://x.example/${path}` } : { target, path: `/${path}` }),
        body: "$.input",
      },
    });
    const pivot = isAlone && !isPastPivot && chance(0.12);
    const isUndone = !pivot && !isPastPivot && chance(0.85);
    if (pivot) isPastPivot = true;
    const event = chance(0.15) ? { publish: { type: "told", data: "$.input" } } : null;
    const child = event === null && !pivot && isUndone && chance(0.15);
    if (child)
      return { name, action: { saga: { name: "child" } }, retry: pick(RETRIES), timeoutSeconds: 5 };
    const later = () => (chance(0.2) ? { async: { timeoutSeconds: 30 } } : {});
    return {
      name,
      action: event ?? { ...http("do"), ...later() },
      ...(isUndone ? { compensate: { ...http("undo"), ...later(), retry: UNDO_RETRY } } : {}),
      ...(pivot ? { pivot } : {}),
      ...(!pivot && chance(0.1) ? { optional: true } : {}),
      ...(chance(0.1) ? { when: { input: { n: [{ numeric: [">", 1_000_000] }] } } } : {}),
      retry: pick(RETRIES),
      timeoutSeconds: 5,
      settle: event === null && chance(0.25) ? "tombstone" : "resend",
    };
  };
  const nodes = Array.from({ length: 1 + upTo(4) }, (): NodeDoc => {
    if (!chance(0.2)) return step(true);
    return { parallel: [[step(false)], chance(0.5) ? [step(false), step(false)] : [step(false)]] };
  });
  return { steps: nodes, ...(chance(0.3) ? { deadlineSeconds: 30 + upTo(120) } : {}) };
}

/** Its deadline may pass while it waits for a callback: whoever refuses what is undone is asked to undo it at once. */
const undoneWhileAwaited = (deadlineSeconds: number, target: string): SagaDoc => ({
  steps: [
    {
      name: "s1",
      action: { http: { target, body: "$.input" }, async: { timeoutSeconds: 120 } },
      compensate: { http: { target, path: "/undo", body: "$.input" }, retry: UNDO_RETRY },
      ...{ retry: { delaysSeconds: [1, 1, 2] }, timeoutSeconds: 5, settle: "tombstone" },
    },
  ],
  deadlineSeconds,
});
