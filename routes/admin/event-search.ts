/** Looking for events by what was in them: the language of rules over the past. */
import { assert } from "../../src/core/errors.ts";
import { parsePattern } from "../../src/core/pattern/index.ts";
import { searchEvents } from "../../src/flows/search-events.ts";
import type { Position } from "../../src/ports/history.ts";
import { isoOrNull, requireTenant } from "./change.ts";
import { EventSummary, summaryView } from "./events.ts";
import { notFound, type Operation, operation, Refusal } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf, rangeOf } from "./page.ts";
import { SearchBody } from "./past-schemas.ts";
import { patternFaults, sentMember } from "./rules.ts";
import { Count, Time } from "./schemas.ts";

/** Where a cursor goes on; only for the tenant that it was given out for. */
function positionOf(cursor: string | undefined, tenant: string): Position | null {
  const at = decodeCursor(cursor, ["string", "number", "string"]);
  if (at === null) return null;
  const [of, receivedAtMs, event] = at;
  if (of === tenant) {
    return { receivedAtMs: Number(receivedAtMs), event: String(event), subscription: "" };
  }
  const detail = "This cursor was not given out for this tenant.";
  throw new Refusal({ slug: "malformed-request", detail });
}

export const eventSearchOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: "/admin/tenants/{tenant}/events/search",
    changes: false,
    summary:
      "Looks for events that a pattern matches, newest first. A call does a bounded part and says how far it looked.",
    query: PageQuery,
    body: SearchBody,
    responses: {
      200: "What was found; with a cursor when there is more to look at.",
      404: "No such tenant.",
      422: "The pattern cannot be parsed, or the slice ends before it starts; every fault is named.",
    },
    answer: pageOf(EventSummary).extend({
      examined: Count.describe("Events that were looked at."),
      notArchived: Count.describe(
        "Those of them that may match or not: their bytes are not, or no longer, kept.",
      ),
      searchedTo: Time.nullable().describe(
        "When the oldest that was looked at was received; the cursor goes on from there.",
      ),
    }),
    faults: async (sent, { stores, params }) => {
      await requireTenant(stores.config, params.tenant ?? "");
      return patternFaults(sent);
    },
    async handle({ app, stores, params, query, sent, body }) {
      const tenant = await stores.config.tenant(params.tenant ?? "");
      if (tenant === null) throw notFound("tenant");
      const parsed = parsePattern(sentMember(sent, "pattern"));
      assert(parsed.ok, "a pattern without faults can be parsed");
      const { source, type, outcome } = body;
      const { fromMs, toMs } = rangeOf(body);
      // What was received before belongs to a life of the tenant that ended.
      const selection = {
        source,
        type,
        outcome,
        toMs,
        fromMs: Math.max(fromMs, tenant.createdAtMs),
      };
      const after = positionOf(query.cursor, tenant.id);
      const { archive, text } = app.deliver;
      const found = await searchEvents(
        { tenant: tenant.id, selection, pattern: parsed.pattern, after, limit: query.limit },
        { archive, text, history: stores.history },
      );
      const { examined, notArchived, last, complete } = found;
      const goesOn = complete || last === null ? null : [tenant.id, last.receivedAtMs, last.event];
      const page = pageBody(found.items.map(summaryView), encodeCursor(goesOn));
      const searchedTo = isoOrNull(last?.receivedAtMs ?? null);
      return { status: 200, body: { ...page, examined, notArchived, searchedTo } };
    },
  }),
];
