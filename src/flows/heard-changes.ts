/**
 * What an isolate has heard of operators' changes. Its portions at work share one question for them: whoever finds the
 * last one old asks for all. They share what is known and no promise, since none may wait for another's request.
 */
import type { Changes } from "../ports/ledger.ts";

export interface Heard extends Changes {
  /** When it was asked for: what has changed since may not be in it. */
  readonly askedAtMs: number;
  /** Tenants that it tells of. */
  readonly tenants: ReadonlySet<string>;
}

export interface HeardChanges {
  /** A portion is at work for `tenants`, until `untilMs` or until what this returns is called. */
  begins(tenants: Iterable<string>, untilMs: number): () => void;
  /** Those of all portions at work. */
  tenants(nowMs: number): ReadonlySet<string>;
  /** When somebody last asked, whatever came of it. */
  askedAtMs: number;
  newest: Heard | null;
}

export function createHeardChanges(): HeardChanges {
  const atWork = new Set<{ readonly tenants: readonly string[]; readonly untilMs: number }>();
  return {
    begins(tenants, untilMs) {
      const own = { tenants: [...tenants], untilMs };
      atWork.add(own);
      return () => void atWork.delete(own);
    },
    tenants(nowMs) {
      // An invocation that was cut off never ends.
      for (const own of atWork) if (nowMs >= own.untilMs) atWork.delete(own);
      return new Set([...atWork].flatMap(({ tenants }) => tenants));
    },
    askedAtMs: Number.NEGATIVE_INFINITY,
    newest: null,
  };
}
