/** One burst of webhooks at one system, and what it took. */
import type { Generator } from "../load/generator.ts";
import { nowMs, type Outcome } from "../load/job.ts";
import type { System } from "../systems.ts";
import { ID_HEADER, type KINDS, order, webhookHeaders } from "../workload.ts";

export interface Burst {
  readonly kind: (typeof KINDS)[number];
  readonly connections: number;
  /** Null = as fast as the system answers. */
  readonly perSecond: number | null;
  readonly requests: number;
}

/** No burst lasts longer, however slow the machine is. */
const BURST_MS_MAX = 6_000;

/** A load above this share of a core may have measured itself. */
export const LOAD_CPU_MAX = 0.6;

let bursts = 0;

export function send(system: System, burst: Burst, generator: Generator): Promise<Outcome> {
  const body = order(burst.kind);
  bursts += 1;
  return generator.run({
    origin: system.origin,
    paths: ["/in/bench/github"],
    headers: webhookHeaders(body),
    body,
    idHeader: ID_HEADER,
    idPrefix: `${process.pid}-${bursts}-${Math.floor(nowMs())}-`,
    connections: burst.connections,
    perSecond: burst.perSecond,
    requestsMax: burst.requests,
    msMax: BURST_MS_MAX,
  });
}

/** How many requests were answered with anything but 202, and with what. */
export function refusals(name: string, outcome: Outcome): string[] {
  return Object.entries(outcome.refused).map(([status, count]) => {
    const answer = status === "0" ? "no answer" : `status ${status}`;
    return `${name}: ${count} requests got ${answer}.`;
  });
}
