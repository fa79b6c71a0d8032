/** Instances of sagas as they are shown. */
import { SAGA_ID } from "../../src/core/ids.ts";
import type { Json } from "../../src/core/json.ts";
import type { Entry } from "../../src/core/saga/instance.ts";
import type { Actor, JournalRow, SagaView } from "../../src/ports/saga.ts";
import type { SagaQuery, SagaSummary } from "../../src/ports/saga-index.ts";
import { iso, isoOrNull } from "./change.ts";
import { type Call, notFound } from "./operation.ts";
import { rangeOf } from "./page.ts";

interface AskedQuery extends Omit<SagaQuery, "fromMs" | "toMs" | "isOpen"> {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly olderThanSeconds?: number | undefined;
}

/** Times of a query, from and to, and an age that both must be beyond. */
export function queryOf(asked: AskedQuery, nowMs: number): SagaQuery {
  const { saga, status, step, correlationId, paused, olderThanSeconds } = asked;
  const { fromMs, toMs } = rangeOf(asked);
  const beforeMs = olderThanSeconds === undefined ? toMs : nowMs - olderThanSeconds * 1_000;
  return {
    ...{ saga, status, step, correlationId, paused, fromMs },
    toMs: Math.floor(Math.min(toMs, beforeMs)),
  };
}

/** What is no id of an instance has no object that could be asked. */
export async function requireInstance(
  app: Call<unknown, unknown>["app"],
  { tenant, instance = "" }: Call<unknown, unknown>["params"],
): Promise<SagaView> {
  const view = SAGA_ID.test(instance) ? await app.deliver.sagas.view(instance) : null;
  if (view === null || view.tenant !== tenant) throw notFound("saga instance");
  return view;
}

export const summaryView = ({ dueAtMs, startedAtMs, updatedAtMs, ...rest }: SagaSummary) => ({
  ...rest,
  dueAt: isoOrNull(dueAtMs),
  startedAt: iso(startedAtMs),
  updatedAt: iso(updatedAtMs),
});

const actorView = ({ commandHash, ...shown }: Actor): Json => ({ ...shown });

export function instanceView(view: SagaView): Json {
  const { startedAtMs, updatedAtMs, deadlineAtMs, steps, journal, ...rest } = view;
  return {
    ...rest,
    startedAt: iso(startedAtMs),
    updatedAt: iso(updatedAtMs),
    deadlineAt: isoOrNull(deadlineAtMs),
    steps: steps.map(({ dueAtMs, ...step }) => ({ ...step, dueAt: isoOrNull(dueAtMs) })),
    journal: journalView(
      journal,
      steps.map(({ name }) => name),
    ),
  };
}

/** Steps by their names: those of a row before a migration by the definition of that time. */
function journalView(journal: readonly JournalRow[], present: readonly string[]): Json[] {
  let names = present;
  const shown = (entry: Entry): object => {
    if ("step" in entry) return { ...entry, step: names[entry.step] ?? "" };
    if (entry.kind !== "migrate") return entry;
    names = entry.was;
    return { kind: entry.kind, version: entry.version };
  };
  return journal
    .toReversed()
    .map(({ rev, atMs, actor, entries }) => ({
      ...{ rev, at: iso(atMs), actor: actorView(actor) },
      entries: entries.toReversed().map(shown).reverse() as unknown as Json[],
    }))
    .reverse();
}
