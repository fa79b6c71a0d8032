/** Targets of a simulated saga: each is closed for spans of time, by a person or its gate, and open in the end. */

import { GATE_HORIZON_MS } from "../../src/core/gate-limits.ts";
import type { Gate, Target } from "../../src/core/tenant.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Gates } from "../../src/ports/gates.ts";
import type { JournalRow } from "../../src/ports/saga.ts";
import { createMemoryGates } from "../support/memory-gates.ts";
import { createMemoryLog } from "../support/memory-system.ts";
import { tenantOf } from "../support/memory-tenants.ts";

export const SAGA_TARGETS = ["erp", "crm"] as const;

interface Span {
  readonly target: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** A gate that is shut has limits, and nobody hears of them: then nothing passes. */
  readonly as: "paused" | "disabled" | "shut";
}

export interface SimulatedTargets {
  readonly gates: Pick<Gates, "tell">;
  /** "again" for who asks more often in one moment than any saga has steps. */
  target(id: string): Target | null | "again";
  /** Whether no request that leaves now can have been let through. */
  isClosed(url: string): boolean;
}

/** In one millisecond: some for each step of a saga, and what a person commands. */
const ASKED_MAX = 200;
/** A turn at a gate that was given before is kept. */
const UNDER_WAY_MS = GATE_HORIZON_MS + 1_000;

export function createSimulatedTargets(
  clock: Clock,
  /** Of its saga, if it has one: just when all is to be undone a target is often closed. */
  deadlineMs: number | null,
  chance: (share: number) => boolean,
  upTo: (most: number) => number,
  pick: <Item>(items: readonly Item[]) => Item,
): SimulatedTargets {
  const startMs = clock.nowMs();
  const spans: Span[] = [];
  function close(target: string, fromMs: number): void {
    const as = pick(["paused", "disabled", "shut"] as const);
    spans.push({ target, fromMs, toMs: fromMs + 1 + upTo(90_000), as });
  }
  while (spans.length < 4 && chance(0.5)) {
    const fromMs = startMs + upTo(60_000);
    close(pick(SAGA_TARGETS), fromMs);
  }
  if (deadlineMs !== null && chance(0.5)) {
    for (const target of SAGA_TARGETS) close(target, startMs + deadlineMs - upTo(3_000));
  }
  const gates = createMemoryGates(clock, createMemoryLog());
  const spanOf = (id: string): Span | undefined => {
    const nowMs = clock.nowMs();
    return spans.find(
      ({ target, fromMs, toMs }) => target === id && fromMs <= nowMs && nowMs < toMs,
    );
  };
  let [asked, askedAtMs] = [0, 0];
  const gate: Gate = {
    ...{ concurrency: 6, perSecond: null, perDay: null, isAdaptive: false, isSet: true },
  };
  return {
    target(id) {
      asked = askedAtMs === clock.nowMs() ? asked + 1 : 1;
      askedAtMs = clock.nowMs();
      if (asked > ASKED_MAX) return "again";
      const as = spanOf(id)?.as ?? null;
      const made =
        as === "shut" ? { gate } : { closed: as === "paused" || as === "disabled" ? as : null };
      return tenantOf("acme", 1, { targets: { [id]: made } }).targets.get(id) ?? null;
    },
    gates: {
      tell: (id, told) =>
        spanOf(id.target)?.as === "shut"
          ? Promise.reject(new Error("the gate does not answer"))
          : gates.tell(id, told),
    },
    isClosed(url) {
      const id = SAGA_TARGETS.find((name) => url.startsWith(`https://${name}.example.com/`));
      const span = id === undefined ? undefined : spanOf(id);
      return span !== undefined && span.fromMs < clock.nowMs() - UNDER_WAY_MS;
    },
  };
}

/** A step that is held says why, rests until its time, and asks no sooner unless somebody or something stirs it. */
export function restViolations(rows: readonly JournalRow[]): string[] {
  const found: string[] = [];
  const due = new Map<number, number>();
  for (const { atMs, actor, entries } of rows) {
    if (actor.by !== "system") due.clear();
    for (const entry of entries) {
      if (entry.kind === "status") due.clear();
      if (!("step" in entry)) continue;
      const isAsked = entry.kind === "held" || entry.kind === "request";
      if (isAsked && atMs < (due.get(entry.step) ?? 0)) {
        found.push(`step ${entry.step} does not rest until its time`);
      }
      due.delete(entry.step);
      if (entry.kind !== "held") continue;
      due.set(entry.step, entry.untilMs);
      if (!/"(erp|crm)"/.test(entry.reason))
        found.push(`step ${entry.step} is held without a reason`);
    }
  }
  return found;
}
