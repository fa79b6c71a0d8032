/** Children of a simulated saga: each has its effect once, ends some time, and undoes it when it is asked to. */
import type { SagaStart, Sagas, SagaView } from "../../src/ports/saga.ts";

export interface Weather {
  after(ms: number, work: () => void): void;
  upTo(most: number): number;
  chance(share: number): boolean;
  /** Whoever dies calls nobody. */
  isDying(): boolean;
  /** From then on nothing fails any more. */
  isFair(): boolean;
}

type Status = "RUNNING" | "COMPLETED" | "COMPENSATING" | "COMPENSATED";

/** `look` tells the parent; in bad weather calls fail before or after they are heard, and news are lost. */
export function createSimulatedChildren(
  effects: string[],
  { after, upTo, chance, isDying, isFair }: Weather,
  look: (step: string) => void,
): Pick<Sagas, "start" | "view" | "look" | "undo"> {
  const children = new Map<string, { readonly start: SagaStart; status: Status }>();

  const view = (id: string): SagaView | null => {
    const child = children.get(id);
    if (child === undefined) return null;
    const { status, start } = child;
    const named = { id, saga: start.saga, status, reason: "by chance", steps: [] };
    return named as unknown as SagaView;
  };
  const change = (id: string, from: Status, to: Status, effect: string | null): void => {
    const child = children.get(id);
    if (child?.status !== from) return;
    child.status = to;
    if (effect !== null) effects.push(effect);
    const { step = "" } = child.start.parent ?? {};
    if (isFair() || chance(0.8)) after(upTo(1_000), () => look(step));
  };
  /** Answers after a while, or not although it has been heard, or without. */
  function call<Answer>(work: () => Answer): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const isUnheard = !isFair() && chance(0.05);
    const isUnanswered = !isFair() && chance(0.05);
    if (isDying()) return promise;
    after(upTo(100), () => {
      const answer = isUnheard ? null : work();
      after(upTo(100), () => {
        if (isUnheard || isUnanswered) reject(new Error("no answer"));
        else resolve(answer as Answer);
      });
    });
    return promise;
  }

  return {
    start: (start) =>
      call(() => {
        const created = !children.has(start.id);
        if (created) {
          children.set(start.id, { start, status: "RUNNING" });
          const isRefused = chance(0.1);
          after(upTo(chance(0.5) ? 100 : 30_000), () =>
            isRefused
              ? change(start.id, "RUNNING", "COMPENSATED", null)
              : change(start.id, "RUNNING", "COMPLETED", start.key),
          );
        }
        return { created, view: view(start.id) as SagaView };
      }),
    view: (id) => call(() => view(id)),
    look: async () => false,
    undo: (id) =>
      call(() => {
        const child = children.get(id);
        if (child === undefined) return { kind: "refused", detail: "it is not there" };
        if (child.status === "COMPENSATED") return { kind: "undone" };
        const undoKey = child.start.key.replace("_a_", "_c_");
        const effect = child.status === "COMPLETED" ? undoKey : null;
        if (child.status !== "COMPENSATING") {
          child.status = "COMPENSATING";
          after(upTo(10_000), () => change(id, "COMPENSATING", "COMPENSATED", effect));
        }
        return { kind: "undoing" };
      }),
  };
}
