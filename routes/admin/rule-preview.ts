/** Trying a pattern on the past: what it would have matched of the newest events, beside what a rule matches. */
import * as z from "zod";
import { PREVIEW_EVENTS_DEFAULT, PREVIEW_EVENTS_MAX } from "../../src/core/archive-limits.ts";
import { assert } from "../../src/core/errors.ts";
import { type Json, parseJsonDocument } from "../../src/core/json.ts";
import { type Pattern, parsePattern } from "../../src/core/pattern/index.ts";
import { matchesPerDay } from "../../src/core/preview.ts";
import type { Fault } from "../../src/core/problem.ts";
import { previewPattern } from "../../src/flows/preview-pattern.ts";
import type { AdminStores } from "../../src/ports/admin.ts";
import type { StoredResource } from "../../src/ports/config.ts";
import { isoOrNull, requireTenant } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { patternFaults, sentMember } from "./rules.ts";
import { Count, Slug, Time } from "./schemas.ts";

const PreviewBody = z.strictObject({
  pattern: z.unknown().meta({ type: "object" }),
  rule: Slug.optional().describe("Whose present pattern it is compared with."),
  events: z
    .int()
    .min(1)
    .max(PREVIEW_EVENTS_MAX)
    .optional()
    .describe(`How many of the newest it is tried on; ${PREVIEW_EVENTS_DEFAULT} when left out.`),
});

const Ids = z.array(z.string());

const PreviewAnswer = z.object({
  examined: Count.describe("Events it was tried on."),
  complete: z
    .boolean()
    .describe("False when a bound on reading ended it before so many events were examined."),
  matched: Count,
  events: Ids.describe("Those it matches, the newest first."),
  from: Time.nullable().describe("When the oldest that was examined was received."),
  to: Time.nullable().describe("When the newest was."),
  perDay: z
    .number()
    .nullable()
    .describe("About how many matches a day, from the oldest until now; null below an hour."),
  compared: z
    .object({
      rule: Slug,
      version: Count,
      matched: Count.describe("How many of the same events the rule's present pattern matches."),
      added: Ids.describe("Matched by the tried pattern and not by the rule's."),
      removed: Ids.describe("Matched by the rule's and not by the tried one."),
    })
    .nullable(),
});

/** The rule that a body names; undefined when it names none. */
const ruleNamed = async (sent: Json, { config }: AdminStores, tenant: string) => {
  const id = sentMember(sent, "rule");
  return typeof id === "string" ? config.resource(tenant, "rule", id) : undefined;
};

async function ruleFaults(sent: Json, stores: AdminStores, tenant: string): Promise<Fault[]> {
  await requireTenant(stores.config, tenant);
  if ((await ruleNamed(sent, stores, tenant)) !== null) return [];
  const detail = `There is no rule "${sentMember(sent, "rule")}" to compare with; leave it out or name one that is there.`;
  return [{ pointer: "/rule", code: "unknown-rule", detail }];
}

/** Null for one that cannot be read, which matches nothing. */
function patternOf({ doc }: StoredResource): Pattern | null {
  const read = parseJsonDocument(doc);
  const parsed = read.ok ? parsePattern(sentMember(read.value, "pattern")) : null;
  return parsed?.ok ? parsed.pattern : null;
}

export const rulePreviewOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: "/admin/tenants/{tenant}/rules/preview",
    changes: false,
    summary:
      "Tries a pattern on the newest archived events, and tells what it matches that a rule does not.",
    body: PreviewBody,
    responses: {
      200: "What it would have matched.",
      404: "No such tenant.",
      422: "The pattern cannot be parsed, or there is no such rule; every fault is named.",
    },
    answer: PreviewAnswer,
    faults: async (sent, { stores, params }) => [
      ...patternFaults(sent),
      ...(await ruleFaults(sent, stores, params.tenant ?? "")),
    ],
    async handle({ app, stores, params, sent, body }) {
      const { archive, clock, text } = app.deliver;
      const tenant = await stores.config.tenant(params.tenant ?? "");
      if (tenant === null) throw notFound("tenant");
      const parsed = parsePattern(sentMember(sent, "pattern"));
      assert(parsed.ok, "a pattern without faults can be parsed");
      const rule = (await ruleNamed(sent, stores, tenant.id)) ?? null;
      const { preview, complete } = await previewPattern(
        {
          tenant: tenant.id,
          sinceMs: tenant.createdAtMs,
          patterns: { next: parsed.pattern, present: rule === null ? null : patternOf(rule) },
          count: body.events ?? PREVIEW_EVENTS_DEFAULT,
        },
        { archive, text, listing: stores.archive },
      );
      const { examined, matched: events, fromMs, toMs, present } = preview;
      const answer = {
        ...{ examined, complete, matched: events.length, events },
        ...{ from: isoOrNull(fromMs), to: isoOrNull(toMs) },
        perDay: matchesPerDay(preview, clock.nowMs()),
        compared: rule === null ? null : { rule: rule.id, version: rule.version, ...present },
      };
      return { status: 200, body: answer };
    },
  }),
];
