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
  /** A portion is at work for `tenants`; what it returns ends that. */
  begins(tenants: Iterable<string>): () => void;
  /** Those of all portions at work. */
  tenants(): ReadonlySet<string>;
  /** When somebody last asked, whatever came of it. */
  askedAtMs: number;
  newest: Heard | null;
}

export function createHeardChanges(): HeardChanges {
  const atWork = new Set<ReadonlySet<string>>();
  return {
    begins(tenants) {
      const own = new Set(tenants);
      atWork.add(own);
      return () => void atWork.delete(own);
    },
    tenants: () => new Set([...atWork].flatMap((own) => [...own])),
    askedAtMs: Number.NEGATIVE_INFINITY,
    newest: null,
  };
}
