/** The one place where what an operator does is written into the audit log. */
import type { Context } from "hono";
import type { App } from "../../src/compose.ts";
import type { DeedOutcome, DeedStart, DeedTold } from "../../src/core/deed.ts";
import { isSlug, timeOrderedId } from "../../src/core/ids.ts";
import {
  ACTOR_CHARACTERS_MAX,
  DEED_PATH_CHARACTERS_MAX,
  REASON_CHARACTERS_MAX,
} from "../../src/core/operator-limits.ts";
import type { OpenDeed } from "../../src/ports/deeds.ts";
import { errorText, type Log } from "../../src/ports/log.ts";
import { type Call, isDeed, type Operation, operationId, Refusal } from "./operation.ts";

const REASON = "signalbox-reason";
const ACTOR = "signalbox-actor";

export const deedHeaders = [
  {
    ...{ name: REASON, in: "header", schema: { type: "string", maxLength: REASON_CHARACTERS_MAX } },
    description: "Why, for the audit log; a `reason` in the body stands above it.",
  },
  {
    ...{ name: ACTOR, in: "header", schema: { type: "string", maxLength: ACTOR_CHARACTERS_MAX } },
    description:
      "Who, for the audit log, as far as the client says; an `actor` in the body stands above it.",
  },
];

/** What a request is about to do; null when it changes nothing whatever it says. */
export function deedOf(
  operation: Operation,
  params: Readonly<Record<string, string>>,
  key: string,
  context: Context,
  { deliver: { clock, random } }: App,
): DeedStart | null {
  if (!isDeed(operation)) return null;
  return {
    id: timeOrderedId("act_", clock.nowMs(), random.bytes(10)),
    ...{ key, action: operationId(operation), resource: pathOf(context) },
    tenant: isSlug(params.tenant ?? "") ? (params.tenant ?? null) : null,
  };
}

/** Of names that are none a path may be long. */
const pathOf = (context: Context): string =>
  new URL(context.req.url).pathname.slice(0, DEED_PATH_CHARACTERS_MAX);

/** What the headers say; refused where they say too much. */
export const toldBy = (context: Context): DeedTold => ({
  name: headerOf(context, ACTOR, ACTOR_CHARACTERS_MAX),
  reason: headerOf(context, REASON, REASON_CHARACTERS_MAX),
});

function headerOf(context: Context, name: string, charactersMax: number): string | null {
  const value = context.req.header(name)?.trim() ?? "";
  if (value.length <= charactersMax) return value === "" ? null : value;
  const detail = `The header ${name} has at most ${charactersMax} characters.`;
  throw new Refusal({ slug: "malformed-request", detail });
}

/** Once it is known what is meant, and before anything of it is done. */
export async function beginDeed(
  operation: Operation,
  body: unknown,
  { told, stores: { deed } }: Pick<Call<unknown, unknown>, "told" | "stores">,
): Promise<void> {
  if (deed === null || !isDeed(operation)) return;
  if (typeof operation.changes === "function" && !operation.changes(body)) return;
  const { actor = told.name, reason = told.reason } = (body ?? {}) as Said;
  await deed.begin({ name: actor, reason }, operation.recorded !== "with-change");
}

interface Said {
  readonly actor?: string;
  readonly reason?: string;
}

/** What was done stays done, and is in the log, also when this cannot be written: then as begun. */
export async function endDeed(deed: OpenDeed | null, status: number, log: Log): Promise<void> {
  const outcome: DeedOutcome = status < 400 ? "done" : status < 500 ? "refused" : "failed";
  try {
    await deed?.end(outcome, status);
  } catch (error) {
    log.warn("deed-not-ended", { outcome, error: errorText(error) });
  }
}
