/**
 * What operators change while a portion is at work. It is asked for beside the attempts, each half second: none waits
 * for the answer, and a portion that is over by then costs no round trip. What is not answered changes nothing.
 */
import { CHANGES_ASK_MS } from "../core/operator-limits.ts";
import type { Tenant } from "../core/tenant.ts";
import { errorText } from "../ports/log.ts";
import { type Decided, decideDelivery } from "./decide-delivery.ts";
import type { QueueRole } from "./deliver-batch.ts";
import type { GatedDuty } from "./gate-session.ts";
import { inTime } from "./in-time.ts";
import type { DeliverPorts } from "./ports.ts";

export interface Followed {
  /** What a claim of now would make of it, as far as is known. */
  decide(gated: GatedDuty): Exclude<Decided, { kind: "fan-out" }>;
  /** Nothing is begun any more. */
  end(): void;
}

/** `revisions`: of the portion's tenants, as its claim answered them. Nothing is asked from `untilMs` on. */
export function followChanges(
  role: QueueRole,
  revisions: ReadonlyMap<string, number>,
  untilMs: number,
  { clock, directory, ledger, log, queueValves }: DeliverPorts,
): Followed {
  const known = new Map(revisions);
  /** Of those that have changed since. */
  const newest = new Map<string, Tenant | null>();
  let timer = clock.timer(CHANGES_ASK_MS);
  let isOver = false;

  async function learn(id: string, revision: number | null): Promise<void> {
    newest.set(id, revision === null ? null : await inTime(directory.at(id, revision), { clock }));
    if (revision === null) known.delete(id);
    else known.set(id, revision);
  }

  async function ask(): Promise<void> {
    try {
      const changes = await inTime(ledger.changes(known), { clock });
      queueValves.learn(changes.controls);
      await Promise.all([...changes.revisions].map(([id, revision]) => learn(id, revision)));
    } catch (error) {
      log.warn("changes-unknown", { role, error: errorText(error) });
    }
  }

  async function follow(): Promise<void> {
    await timer.elapsed;
    while (!isOver && clock.nowMs() < untilMs) {
      await ask();
      if (isOver) return;
      timer = clock.timer(CHANGES_ASK_MS);
      await timer.elapsed;
    }
  }
  void follow();

  return {
    decide({ duty, outgoing }) {
      if (!newest.has(duty.tenant)) return { kind: "attempt", outgoing };
      const decided = decideDelivery(duty, role, newest);
      return decided.kind === "fan-out" ? { kind: "attempt", outgoing } : decided;
    },
    end() {
      isOver = true;
      timer.cancel();
    },
  };
}
