/**
 * What operators change while a portion is at work. It is heard of beside the attempts: none waits for an answer, and
 * a portion that is over within half a second costs no round trip. What is not answered changes nothing.
 */
import { changesSince } from "../core/changes.ts";
import { CHANGES_ASK_MS, CHANGES_LOOK_MS } from "../core/operator-limits.ts";
import type { Tenant } from "../core/tenant.ts";
import { errorText } from "../ports/log.ts";
import { type Decided, decideDelivery } from "./decide-delivery.ts";
import type { QueueRole } from "./deliver-batch.ts";
import type { GatedDuty } from "./gate-session.ts";
import type { Heard } from "./heard-changes.ts";
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
  { clock, directory, heardChanges, ledger, log, queueValves }: DeliverPorts,
): Followed {
  const known = new Map(revisions);
  /** Of those that have changed since. */
  const newest = new Map<string, Tenant | null>();
  const ends = heardChanges.begins(revisions.keys(), untilMs);
  let heardAtMs = clock.nowMs();
  let timer = clock.timer(CHANGES_LOOK_MS);
  let isOver = false;

  async function learn(id: string, revision: number | null): Promise<void> {
    newest.set(id, revision === null ? null : await inTime(directory.at(id, revision), { clock }));
    if (revision === null) known.delete(id);
    else known.set(id, revision);
  }

  /** What somebody has asked since; else it asks for all, if nobody has just done so. */
  async function hear(): Promise<Heard | null> {
    const { newest: last } = heardChanges;
    const isOfMine = last !== null && [...known.keys()].every((id) => last.tenants.has(id));
    const askedAtMs = clock.nowMs();
    /** What lies ahead was before the clock went back: nobody would ask until then. */
    const past = (atMs: number) => (atMs > askedAtMs ? Number.NEGATIVE_INFINITY : atMs);
    if (isOfMine && past(last.askedAtMs) > heardAtMs) return last;
    const lastMs = Math.max(past(heardAtMs), past(heardChanges.askedAtMs));
    if (askedAtMs < lastMs + CHANGES_ASK_MS) return null;
    heardChanges.askedAtMs = askedAtMs;
    const tenants = heardChanges.tenants(askedAtMs);
    const changes = await inTime(ledger.changes(tenants), { clock });
    const heard = { ...changes, askedAtMs, tenants };
    heardChanges.newest = heard;
    queueValves.learn(changes.controls);
    return heard;
  }

  async function look(): Promise<void> {
    try {
      const heard = await hear();
      if (heard === null) return;
      heardAtMs = heard.askedAtMs;
      const changed = changesSince(known, heard.standings);
      await Promise.all([...changed].map(([id, revision]) => learn(id, revision)));
    } catch (error) {
      log.warn("changes-unknown", { role, error: errorText(error) });
    }
  }

  async function follow(): Promise<void> {
    await timer.elapsed;
    while (!isOver && clock.nowMs() < untilMs) {
      await look();
      if (isOver) return;
      timer = clock.timer(CHANGES_LOOK_MS);
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
      ends();
    },
  };
}
