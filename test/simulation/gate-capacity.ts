/** A receiver whose capacity changes, always with work for more: what a limit uses of it, and what is refused. */
import type { Ask, GateConfig, Grant } from "../../src/core/gate/index.ts";
import { GATE_AGAIN_MS } from "../../src/core/gate-limits.ts";
import { type Agenda, createAgenda } from "./agenda.ts";
import { createChance } from "./chance.ts";
import { holdGate, type Reply, work } from "./gate-world.ts";

const CONSUMERS = 24;
/** Of a batch, those for this target. */
const ITEMS = 80;
const PHASE_MS = 60_000;
const CAPACITIES = [50, 10, 80] as const;

export interface Used {
  /** Of what the receiver could have done. */
  readonly used: number;
  /** Of what was sent. */
  readonly refused: number;
  readonly requests: number;
}

/** Every consumer asks for more as soon as it has done what it was granted. */
export function runCapacity(seed: number, config: GateConfig): Used {
  const chance = createChance(seed);
  const agenda = createAgenda(Date.UTC(2026, 0, 1));
  const startMs = agenda.nowMs();
  const gate = holdGate(config, agenda, () => chance.unit(), false);
  let [inFlight, busyMs, requests, dropped, leases] = [0, 0, 0, 0, 0];
  const capacity = (): number =>
    CAPACITIES[Math.floor((agenda.nowMs() - startMs) / PHASE_MS)] ?? CAPACITIES[2];

  function receive(): Reply {
    requests += 1;
    if (inFlight >= capacity()) {
      dropped += 1;
      return { kind: "dropped", durationMs: 5 };
    }
    inFlight += 1;
    const durationMs = chance.between(80, 120);
    agenda.at(agenda.nowMs() + durationMs, () => {
      inFlight -= 1;
      busyMs += durationMs;
    });
    return { kind: "ok", durationMs };
  }

  function consume(): void {
    leases += 1;
    const lease = `lease-${leases}`;
    const want = { fresh: ITEMS, retries: 0 };
    const more = { isReleased: true, mayWait: true, ttlMs: 20_000 };
    const ask: Ask = { lease, want, priority: "normal", ...more };
    gate.attend(ask, (answer) => {
      if (answer.kind === "granted") soon(agenda, 0, () => consumeGranted(ask, answer));
      else soon(agenda, chance.between(5, 20), consume);
    });
  }

  function consumeGranted(ask: Ask, grant: Grant): void {
    const all = Array.from({ length: ITEMS }, (_, item) => item);
    const [items, beside] = [all.slice(0, grant.count), all.slice(grant.count)];
    work<number>(
      {
        ...{ grant, ask, items, beside },
        ...{ timeoutMs: 1_000, isRetry: () => false, send: receive, settle: () => {} },
        // A limit that does not go down makes its gate pause where too much was sent.
        done: (left) =>
          soon(agenda, left.length > 0 && !config.isAdaptive ? GATE_AGAIN_MS : 1, consume),
      },
      gate,
      agenda,
    );
  }

  for (let consumer = 0; consumer < CONSUMERS; consumer += 1) soon(agenda, consumer, consume);
  agenda.run(startMs + PHASE_MS * CAPACITIES.length);
  const whole = CAPACITIES.reduce((sum, slots) => sum + slots * PHASE_MS, 0);
  return { used: busyMs / whole, refused: dropped / requests, requests };
}

const soon = (agenda: Agenda, ms: number, what: () => void): void =>
  agenda.at(agenda.nowMs() + ms, what);

export const limited = (concurrency: number, isAdaptive: boolean): GateConfig => {
  return { concurrency, perSecond: null, perDay: null, isAdaptive };
};
