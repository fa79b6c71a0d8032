/** Operators who change rules and targets while events are under way. */
import { Retryable } from "../../src/core/errors.ts";
import type { Invocation } from "./invocation.ts";
import type { Isolates } from "./isolates.ts";
import { createLife } from "./life.ts";
import type { Doing } from "./scenario.ts";
import type { Stores } from "./stores.ts";
import { drawRules, type SimulatedTenant, writeDown } from "./tenants.ts";

export interface Operators {
  readonly waiting: number;
  /** Messages that nothing can read, which must end up where a person sees them. */
  readonly poisoned: number;
}

const TRY_AGAIN_MS = 5_000;

export function createOperators(
  doings: readonly Doing[],
  known: ReadonlyMap<string, SimulatedTenant>,
  stores: Stores,
  isolates: Isolates,
): Operators {
  const { scheduler, chance, trace, tenants, queues, violations } = stores;
  let waiting = doings.length;
  let poisoned = 0;

  function act({ act: what, tenant: id }: Doing): void {
    const tenant = known.get(id);
    if (tenant === undefined || tenant.isDeleted) {
      waiting -= 1;
      return;
    }
    const target = chance.pick([...tenant.targets.values(), undefined]);
    trace.note("operator", what, () => `${id} ${target?.id ?? ""}`);
    switch (what) {
      case "edit-rules":
        tenant.rules = drawRules([...tenant.targets.keys()], chance);
        return announce(tenant, writeDown(tenant, tenants));
      case "pause":
        if (target !== undefined) target.isPaused = true;
        announce(tenant, writeDown(tenant, tenants));
        if (target !== undefined && chance.happens(0.6)) {
          waiting += 1;
          scheduler.after(chance.between(1, 200) * 1_000, null, () => resume(tenant, target.id));
        }
        return;
      case "resume":
        if (target === undefined) break;
        return resume(tenant, target.id);
      case "delete-target":
        if (target === undefined) break;
        tenant.targets.delete(target.id);
        tenant.deletedTargets.add(target.id);
        return announce(tenant, writeDown(tenant, tenants));
      case "delete-tenant":
        tenant.isDeleted = true;
        tenants.delete(id);
        break;
      case "poison":
        poisoned += 1;
        void queues.send("normal", [Uint8Array.of(0xba, 0xd0, poisoned)]);
        break;
    }
    waiting -= 1;
  }

  /** The answer to an operator comes once the limiter knows; until then it is tried again. */
  function announce(tenant: SimulatedTenant, revision: number): void {
    during((ports) => ports.limiter.announce(tenant.id, revision));
  }

  /** Opens a target, then lets go what was parked for it. */
  function resume(tenant: SimulatedTenant, id: string): void {
    const target = tenant.targets.get(id);
    if (target === undefined || tenant.isDeleted) {
      waiting -= 1;
      return;
    }
    target.isPaused = false;
    const revision = writeDown(tenant, tenants, id);
    during(async (ports) => {
      await ports.ledger.release(tenant.id, id);
      await ports.limiter.announce(tenant.id, revision).catch(() => {});
    });
  }

  type Ports = ReturnType<NonNullable<ReturnType<Isolates["pick"]>>["deliver"]>;

  /** One request of an operator, tried again until it is answered. */
  function during(work: (ports: Ports) => Promise<void>): void {
    let isOver = false;
    const end = (isDone: boolean): void => {
      if (isOver) return;
      isOver = true;
      if (isDone) waiting -= 1;
      else scheduler.after(TRY_AGAIN_MS, null, () => during(work));
    };
    const isolate = isolates.pick();
    if (isolate === null) return end(false);
    const life = createLife("operator", scheduler, isolate.life);
    const invocation: Invocation = {
      ...{ life, role: "sweep", startedAtMs: scheduler.nowMs(), token: null },
    };
    scheduler.after(60_000, null, () => end(false));
    work(isolate.deliver(invocation)).then(
      () => end(true),
      (error: unknown) => {
        if (!(error instanceof Retryable)) violations.add(`a request fails: ${String(error)}`);
        end(false);
      },
    );
  }

  for (const doing of doings) scheduler.after(doing.atMs, null, () => act(doing));
  return {
    get waiting() {
      return waiting;
    },
    get poisoned() {
      return poisoned;
    },
  };
}
