/**
 * One command for all instances of a selection, page by page. A pass may end anywhere: the next one goes on at the
 * page that was begun, and an instance that has had the command knows it by its id.
 */
import { mapWithin } from "../core/deliver/schedule.ts";
import { CONNECTIONS_MAX } from "../core/limits.ts";
import {
  SAGA_JOB_PAGE,
  SAGA_JOB_PAGES_MAX,
  SAGA_REFUSALS_MAX,
  SAGA_REFUSED_NAMED_MAX,
} from "../core/saga/limits.ts";
import type { Clock } from "../ports/clock.ts";
import { errorText, type Log } from "../ports/log.ts";
import type { CommandAnswer, Sagas } from "../ports/saga.ts";
import type { SagaDirectory } from "../ports/saga-index.ts";
import type { Refusal, SagaJob, SagaJobProgress, SagaJobs } from "../ports/saga-jobs.ts";
import { inTime } from "./in-time.ts";

export interface CommandSagasPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly sagaIndex: Pick<SagaDirectory, "list">;
  readonly sagaJobs: Pick<SagaJobs, "advance">;
  readonly sagas: Pick<Sagas, "command">;
}

/**
 * A bounded pass, shared by the jobs, so that a long one holds up no other; answers how many instances had their
 * turn, and whether no job has more.
 */
export async function commandSagas(
  jobs: readonly SagaJob[],
  ports: CommandSagasPorts,
): Promise<{ commanded: number; complete: boolean }> {
  const all = { commanded: 0, complete: true };
  const failures: unknown[] = [];
  const pagesMax = Math.max(1, Math.floor(SAGA_JOB_PAGES_MAX / Math.max(1, jobs.length)));
  for (const job of jobs) {
    try {
      const { commanded, complete } = await commandOne(job, pagesMax, ports);
      all.commanded += commanded;
      if (!complete) all.complete = false;
    } catch (error) {
      failures.push(error); // the others have their turn
    }
  }
  if (failures.length > 0) throw failures[0];
  return all;
}

async function commandOne(job: SagaJob, pagesMax: number, ports: CommandSagasPorts) {
  let { progress } = job;
  for (let page = 0; page < pagesMax; page += 1) {
    const { tenant, query } = job;
    const found = await ports.sagaIndex.list(tenant, query, progress.after, SAGA_JOB_PAGE);
    const refused = new Map<string, string>();
    await mapWithin(
      found.items,
      { total: CONNECTIONS_MAX, perKey: CONNECTIONS_MAX },
      () => "instance",
      async ({ id }) => {
        const why = refusalOf(await commandInstance(job, id, ports));
        if (why !== null) refused.set(id, why);
      },
    );
    const last = found.items.at(-1);
    const next: SagaJobProgress = {
      after: last === undefined ? progress.after : { startedAtMs: last.startedAtMs, id: last.id },
      finished: progress.finished + found.items.length,
      refusals: found.items.reduce(
        (all, { id }) => withRefusal(all, id, refused.get(id)),
        progress.refusals,
      ),
    };
    const isDone = found.next === null;
    const written = await ports.sagaJobs.advance(job, progress, next, isDone);
    if (written !== "lost") progress = next;
    if (isDone || written !== "written")
      return {
        commanded: progress.finished - job.progress.finished,
        complete: isDone || written === "cancelled",
      };
  }
  return { commanded: progress.finished - job.progress.finished, complete: false };
}

type Heard = CommandAnswer | { readonly kind: "silent" };

/** An instance that does not answer holds up no other: it may have heard, and a later job may ask again. */
async function commandInstance(
  job: SagaJob,
  instance: string,
  { clock, log, sagas }: CommandSagasPorts,
): Promise<Heard> {
  const command = { ...job.command, id: `${job.id}:${instance}` };
  try {
    const answer = sagas.command(instance, command, undefined);
    return await inTime(answer, { clock }, "no answer in time");
  } catch (error) {
    const { tenant, id: jobId } = job;
    log.warn("saga-silent", { tenant, id: instance, job: jobId, error: errorText(error) });
    return { kind: "silent" };
  }
}

function refusalOf(heard: Heard): string | null {
  switch (heard.kind) {
    case "done":
      return null;
    case "refused":
      return heard.detail;
    case "unknown":
      return "It has not begun yet.";
    case "silent":
      return "It did not answer, and may have heard.";
    default:
      return "Its command id is taken.";
  }
}

function withRefusal(
  all: readonly Refusal[],
  instance: string,
  why: string | undefined,
): readonly Refusal[] {
  if (why === undefined) return all;
  const isFull = all.length >= SAGA_REFUSALS_MAX && !all.some(({ detail }) => detail === why);
  const detail = isFull ? "Other reasons." : why;
  const at = all.findIndex((each) => each.detail === detail);
  const before = all[at] ?? { detail, count: 0, instances: [] };
  const instances =
    before.instances.length < SAGA_REFUSED_NAMED_MAX
      ? [...before.instances, instance]
      : before.instances;
  const refusal = { detail, count: before.count + 1, instances };
  return at < 0 ? [...all, refusal] : all.with(at, refusal);
}
