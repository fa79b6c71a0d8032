/** What every change of configuration has in common: versions, announcement, and the answer. */
import type { App } from "../../src/compose.ts";
import type { ConfigStore, Written } from "../../src/ports/config.ts";
import { errorText } from "../../src/ports/log.ts";
import { notFound, Overtaken, Refusal } from "./operation.ts";

const ANNOUNCE_TRIES_MAX = 3;
const ANNOUNCE_PAUSE_MS = 100;

/**
 * Tells the tenant's limiter of the new revision, and with it every isolate within a lease's life. The
 * change is saved already: should this fail, the same request may simply be sent again.
 */
export async function announce(app: App, tenant: string, revision: number): Promise<void> {
  const { directory, limiter, clock, log } = app.deliver;
  directory.forget(tenant);
  for (let tries = 1; ; tries += 1) {
    try {
      await limiter.announce(tenant, revision);
      return;
    } catch (error) {
      log.warn("announce-failed", { tenant, tries, error: errorText(error) });
      if (tries === ANNOUNCE_TRIES_MAX) break;
      await clock.timer(ANNOUNCE_PAUSE_MS * tries).elapsed;
    }
  }
  throw new Refusal({
    slug: "unavailable",
    detail: "The change is saved, but running isolates could not be told. Send it again.",
    retryAfterMs: 1_000,
  });
}

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
      throw new Refusal({
        slug: "precondition-failed",
        detail: "If-Match does not name the present version.",
        extensions: { etag: result.version === null ? "none" : `"${result.version}"` },
      });
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
