/**
 * What became of every saga, from three witnesses: who started it, the participant's book, and the instance itself.
 * Pure, so that it can be shown to find what it looks for.
 */
import { OPTIONAL, PARALLEL, PIVOT, STEPS, type StepName } from "./plan.ts";

/** What the participant did, in this order. */
export interface Effect {
  readonly saga: string;
  readonly step: StepName;
  readonly direction: "action" | "undo";
  readonly key: string;
}

export interface Ended {
  readonly id: string;
  readonly key: string;
  readonly status: string;
  readonly reason: string | null;
  /** Done by a person. */
  readonly commands: number;
}

export interface SagaFacts {
  /** Keys that were answered 2xx: each is owed an instance. */
  readonly started: readonly string[];
  readonly instances: readonly Ended[];
  readonly effects: readonly Effect[];
}

export interface SagaVerdict {
  readonly completed: number;
  readonly compensated: number;
  readonly faults: readonly string[];
}

export function sagaVerdict({ started, instances, effects }: SagaFacts): SagaVerdict {
  const faults: string[] = [];
  const byKey = Map.groupBy(instances, ({ key }) => key);
  for (const key of started) {
    const count = byKey.get(key)?.length ?? 0;
    if (count !== 1) faults.push(`${key} has ${count} instances`);
  }
  const known = new Set(instances.map(({ id }) => id));
  const bySaga = Map.groupBy(effects, ({ saga }) => saga);
  for (const saga of bySaga.keys()) {
    if (!known.has(saga)) faults.push(`${saga} had effects, and there is no such instance`);
  }
  for (const instance of instances) {
    const name = `${instance.key} (${instance.id}, ${instance.status})`;
    const own = bySaga.get(instance.id) ?? [];
    const seen = own.map(({ step, direction }) => `${direction} ${step}`).join(", ");
    for (const fault of faultsOf(instance, own)) faults.push(`${name}: ${fault}; ${seen}`);
  }
  const ended = (status: string): number =>
    instances.filter((instance) => instance.status === status).length;
  return { completed: ended("COMPLETED"), compensated: ended("COMPENSATED"), faults };
}

function faultsOf({ status, reason, commands }: Ended, effects: readonly Effect[]): string[] {
  const faults: string[] = [];
  if (commands > 0) faults.push("a person was needed");
  const of = (direction: Effect["direction"]): StepName[] =>
    effects.filter((effect) => effect.direction === direction).map(({ step }) => step);
  const [done, undone] = [of("action"), of("undo")];
  for (const steps of [done, undone]) {
    if (new Set(steps).size < steps.length) faults.push("an effect came twice");
  }
  if (status === "COMPLETED") {
    const missing = STEPS.filter((step) => step !== OPTIONAL && !done.includes(step));
    if (missing.length > 0) faults.push(`without ${missing}`);
    if (undone.length > 0) faults.push(`${undone} undone`);
  } else if (status === "COMPENSATED") {
    if (done.includes(PIVOT)) faults.push(`undone although it has passed ${PIVOT}`);
    const left = done.filter((step) => !undone.includes(step));
    if (left.length > 0) faults.push(`${left} left standing`);
    for (const step of undone) {
      const at = (direction: Effect["direction"]): number =>
        effects.findIndex((effect) => effect.step === step && effect.direction === direction);
      if (at("action") < 0 || at("action") > at("undo")) faults.push(`${step} undone too soon`);
    }
    const order = undone.map((step) => STEPS.indexOf(step));
    const isReversed = order.every(
      (index, at) => at === 0 || index < (order[at - 1] ?? 0) || areParallel(undone, at),
    );
    if (!isReversed) faults.push("undone in another order");
  } else faults.push(`has not ended: ${reason}`);
  return faults;
}

const areParallel = (steps: readonly StepName[], at: number): boolean =>
  steps.slice(at - 1, at + 1).every((step) => PARALLEL.includes(step));
