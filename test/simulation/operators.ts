/** Operators who change rules and targets while events are under way. */
import { Retryable } from "../../src/core/errors.ts";
import type { QueueName } from "../../src/core/priority.ts";
import type { DeliverPorts } from "../../src/flows/ports.ts";
import { createFanOutOperators } from "./fan-out-operators.ts";
import type { Invocation } from "./invocation.ts";
import type { Isolates } from "./isolates.ts";
import { createLife } from "./life.ts";
import { createQueueOperators } from "./queue-operators.ts";
import type { Act, Doing } from "./scenario.ts";
import type { Stores } from "./stores.ts";
import { drawRules, type SimulatedTarget, type SimulatedTenant, writeDown } from "./tenants.ts";

export interface Operators {
  readonly waiting: number;
  /** Messages that nothing can read, which must end up where a person sees them. */
  readonly poisoned: number;
}

const TRY_AGAIN_MS = 5_000;
const PATIENCE_MS = 60_000;

export function createOperators(
  doings: readonly Doing[],
  known: ReadonlyMap<string, SimulatedTenant>,
  stores: Stores,
  isolates: Isolates,
): Operators {
  const { scheduler, chance, trace, tenants, queues, violations, deletions } = stores;
  let waiting = doings.length;
  let poisoned = 0;
  const queueOperators = createQueueOperators(stores);
  const fanOutOperators = createFanOutOperators(stores, isolates);

  type Work = (ports: DeliverPorts) => Promise<void>;

  function act({ act: what, tenant: id, target: name, queue }: Doing): void {
    const tenant = known.get(id);
    const any = chance.pick([undefined, ...(tenant?.targets.values() ?? [])]);
    const target = name === undefined ? any : tenant?.targets.get(name);
    trace.note("operator", what, () => `${id} ${target?.id ?? ""}`);
    const work =
      tenant === undefined || tenant.isDeleted ? null : begin(what, tenant, target, queue);
    if (work === null) waiting -= 1;
    else during(work);
  }

  /** Makes the change; answers what of it goes over the wire, if anything does. */
  function begin(
    what: Act,
    tenant: SimulatedTenant,
    target?: SimulatedTarget,
    queue?: QueueName,
  ): Work | null {
    switch (what) {
      case "edit-rules":
        tenant.rules = drawRules(tenant.targets, chance);
        return announce(tenant, writeDown(tenant, tenants));
      case "pause":
        if (target === undefined) return null;
        target.isPaused = true;
        if (chance.happens(0.6)) resumeLater(tenant, target);
        return announce(tenant, writeDown(tenant, tenants));
      case "resume":
        return target === undefined ? null : resume(tenant, target);
      case "delete-target":
        if (target === undefined) return null;
        tenant.targets.delete(target.id);
        tenant.deletedTargets.add(target.id);
        return announce(tenant, writeDown(tenant, tenants));
      case "delete-tenant":
        tenant.isDeleted = true;
        deletions.begin(tenant.id);
        return null;
      case "pause-queue":
        queueOperators.pause(queue);
        return null;
      case "tune-queue":
        queueOperators.tune();
        return null;
      case "poison":
        poisoned += 1;
        void queues.send("normal", [Uint8Array.of(0xba, 0xd0, poisoned)]);
        return null;
    }
  }

  const announce =
    (tenant: SimulatedTenant, revision: number): Work =>
    (ports) =>
      ports.limiter.announce(tenant.id, revision);

  function resumeLater(tenant: SimulatedTenant, target: SimulatedTarget): void {
    waiting += 1;
    const delayMs = chance.happens(0.5) ? chance.between(1, 400) : chance.between(1, 200_000);
    scheduler.after(delayMs, null, () => {
      if (tenant.isDeleted || !tenant.targets.has(target.id)) waiting -= 1;
      else during(resume(tenant, target));
    });
  }

  /** Opens a target, then lets go what was parked for it. */
  function resume(tenant: SimulatedTenant, target: SimulatedTarget): Work {
    target.isPaused = false;
    const revision = writeDown(tenant, tenants, target.id);
    return async (ports) => {
      await ports.ledger.release(tenant.id, target.id);
      await ports.limiter.announce(tenant.id, revision);
    };
  }

  /** One request of an operator, tried again until it is answered. */
  function during(work: Work): void {
    let isOver = false;
    const end = (isDone: boolean): void => {
      if (isOver) return;
      isOver = true;
      if (isDone) waiting -= 1;
      else scheduler.after(TRY_AGAIN_MS, null, () => during(work));
    };
    const isolate = isolates.pick();
    scheduler.after(isolate === null ? 0 : PATIENCE_MS, null, () => end(false));
    if (isolate === null) return;
    const life = createLife("operator", scheduler, isolate.life);
    const invocation: Invocation = {
      ...{ life, role: "sweep", startedAtMs: scheduler.nowMs(), token: null },
    };
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
      return waiting + fanOutOperators.waiting;
    },
    get poisoned() {
      return poisoned;
    },
  };
}
