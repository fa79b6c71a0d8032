/** Small sagas for the model check: steps of each kind, written down in a word. */
import type { Act, ActionStep, Saga, Sequence } from "../../../src/core/saga/definition.ts";

const policy = (attempts: number) =>
  ({ maxAttempts: attempts, initialSeconds: 1, factor: 1, maxSeconds: 1 }) as const;

export function actionStep(name: string, sketch: Partial<ActionStep> = {}): ActionStep {
  const call = (path: string) => ({
    kind: "http" as const,
    http: { url: `https://${name}/${path}` },
    callbackMs: null,
  });
  return {
    ...{ kind: "action", name, when: null, isOptional: false, isPivot: false, settle: "resend" },
    ...{ action: call("do"), compensate: call("undo"), timeoutMs: 1_000 },
    ...{ retry: policy(2), undoRetry: policy(9) },
    ...sketch,
  };
}

/** Participants that take it on, and tell how it went later: its undo as well. */
export function asyncStep(name: string): ActionStep {
  const step = actionStep(name);
  const later = (act: Act): Act => (act.kind === "http" ? { ...act, callbackMs: 5_000 } : act);
  return {
    ...step,
    action: later(step.action),
    compensate: step.compensate && later(step.compensate),
  };
}

/** Another saga, that undoes itself when it is asked to. */
export const childStep = (name: string): ActionStep => ({
  ...actionStep(name),
  action: { kind: "saga", saga: { name } },
  compensate: { kind: "undo-saga", name },
});

export const sagaOf = (steps: Saga["steps"], sequence?: Sequence): Saga => {
  return { steps, sequence: sequence ?? steps.map((_, at) => at), deadlineMs: null };
};
