/** Where instances of sagas are found, and when one must be looked at. */
import type { SagaStatus } from "../core/saga/instance.ts";

/** An instance as the index has it: what it is found by, and when it must be looked at. */
export interface SagaSummary {
  readonly id: string;
  readonly tenant: string;
  readonly saga: string;
  readonly version: number;
  readonly key: string;
  readonly correlationId: string | null;
  /** "STARTING" until its object has answered. */
  readonly status: SagaStatus | "STARTING";
  readonly paused: boolean;
  /** Steps that are under way or waited for, by name. */
  readonly step: string | null;
  readonly reason: string | null;
  /** Rises with every change of the instance. */
  readonly rev: number;
  /** By then its object wakes by itself; null when it waits for a person or has ended. */
  readonly dueAtMs: number | null;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
}

/** What a row of the index is known by. */
export type SagaEntry = Pick<SagaSummary, "tenant" | "startedAtMs" | "id">;

/** Where instances are found. Written before an instance starts, so that none is invisible. */
export interface SagaIndex {
  /** Of one that was started before, at another time, this is a second entry, which its starter forgets. */
  begin(summary: SagaSummary): Promise<void>;
  forget(entry: SagaEntry): Promise<void>;
  /** A summary older than the one that is there changes nothing. */
  put(summary: SagaSummary): Promise<void>;
}

export interface SagaQuery {
  readonly saga?: string | undefined;
  readonly status?: string | undefined;
  readonly correlationId?: string | undefined;
  /** That is under way or waited for. */
  readonly step?: string | undefined;
  readonly paused?: boolean | undefined;
  /** Started from then on; started before. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Only those that have not ended. */
  readonly isOpen?: boolean | undefined;
}

/** Where a list goes on; instances are in the order of their start, the newest first. */
export interface SagaPosition {
  readonly startedAtMs: number;
  readonly id: string;
}

export interface SagaDirectory extends SagaIndex {
  list(
    tenant: string,
    query: SagaQuery,
    after: SagaPosition | null,
    count: number,
  ): Promise<{ readonly items: readonly SagaSummary[]; readonly next: SagaPosition | null }>;
  /** How many there are; no further than to `countMax`. */
  count(tenant: string, query: SagaQuery, countMax: number): Promise<number>;
  /** Instances that should have woken by themselves before `beforeMs`. */
  overdue(
    beforeMs: number,
    count: number,
  ): Promise<
    readonly (SagaEntry & {
      /** Its object has not told yet that it has begun. */
      readonly isStarting: boolean;
    })[]
  >;
  /** Of a tenant that was deleted: those that were started before. */
  ofTenant(tenant: string, beforeMs: number, count: number): Promise<readonly SagaEntry[]>;
}
