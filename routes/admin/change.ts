/** What every change of configuration has in common: versions, announcement, and the answer. */
import type { App } from "../../src/compose.ts";
import type { ConfigStore, Written } from "../../src/ports/config.ts";
import { errorText } from "../../src/ports/log.ts";
import { type Call, notFound, Overtaken, Refusal } from "./operation.ts";

/** Between the tries that its caller waits for. */
const ANNOUNCE_PAUSES_MS = [100, 200];
/** … and before those that follow the answer: the platform lets an invocation go on for half a minute. */
const ANNOUNCE_LATER_MS = [1_000, 2_000, 4_000, 8_000];

/**
 * Tells the tenant's limiter of the new revision, and with it every isolate within a lease's life. The change is
 * saved already, and its repeat may be refused: should this fail, it goes on behind the answer.
 */
export async function announce(
  { app, defer }: Pick<Call<never, never>, "app" | "defer">,
  tenant: string,
  revision: number,
): Promise<void> {
  app.deliver.directory.forget(tenant);
  if (await isTold(app, tenant, revision, [0, ...ANNOUNCE_PAUSES_MS])) return;
  defer(isTold(app, tenant, revision, ANNOUNCE_LATER_MS));
  throw new Refusal({
    slug: "unavailable",
    detail:
      "The change is saved, but running isolates could not be told yet. That goes on for 15 seconds; any other change of the tenant tells them too.",
    retryAfterMs: 1_000,
  });
}

/** Whether it was told in the end; a try after each pause. */
async function isTold(
  { deliver: { limiter, clock, log } }: App,
  tenant: string,
  revision: number,
  pausesMs: readonly number[],
): Promise<boolean> {
  for (const pauseMs of pausesMs) {
    if (pauseMs > 0) await clock.timer(pauseMs).elapsed;
    try {
      await limiter.announce(tenant, revision);
      return true;
    } catch (error) {
      log.warn("announce-failed", { tenant, revision, error: errorText(error) });
    }
  }
  return false;
}

/** `version`: the present one; null where nothing is there. */
export const preconditionFailed = (version: number | null): Refusal =>
  new Refusal({
    slug: "precondition-failed",
    detail: "If-Match does not name the present version.",
    extensions: { etag: version === null ? "none" : `"${version}"` },
  });

/** The version written and whether it is new; refuses what was not written. */
export function written(result: Written | { kind: "absent" }, what: string) {
  switch (result.kind) {
    case "written":
      return result;
    case "absent":
      throw notFound(what);
    case "tenant-unknown":
      throw notFound("tenant");
    case "too-many-rules":
      throw new Refusal({
        slug: "too-many-rules",
        detail: `This tenant has ${result.rulesMax} rules already; nothing was saved.`,
        extensions: { rulesMax: result.rulesMax },
      });
    case "version-differs":
      throw preconditionFailed(result.version);
  }
}

/** For what was read before it was changed, by a call that names no version: another one's change begins it anew. */
export function writtenAnew(result: Written, what: string) {
  if (result.kind === "version-differs") throw new Overtaken();
  return written(result, what);
}

export async function requireTenant(config: ConfigStore, id: string): Promise<void> {
  if ((await config.tenant(id)) === null) throw notFound("tenant");
}

export const iso = (ms: number): string => new Date(ms).toISOString();
export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));
