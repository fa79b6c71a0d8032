/** Why an event went where it went, or nowhere. */
import * as z from "zod";
import type { Json } from "../../src/core/json.ts";
import { RULE_MODES } from "../../src/core/resources.ts";
import { explainEvent } from "../../src/flows/explain-event.ts";
import { requireArchived } from "./events.ts";
import { type Operation, operation } from "./operation.ts";
import { PageQuery } from "./page.ts";
import { Verdict } from "./rule-test.ts";
import { Count } from "./schemas.ts";

const ExplainAnswer = z.object({
  event: z.custom<Json>().describe("As the rules saw it."),
  rules: z
    .array(
      z.object({
        rule: z.string(),
        matched: z.boolean().describe("Whether the rule as it is now matches."),
        enabled: z.boolean(),
        mode: z.enum(RULE_MODES).describe("A shadow rule is never among those that chose."),
        chosen: z
          .boolean()
          .describe("Whether it was among those that chose the event when it came."),
        explanation: z.array(Verdict),
      }),
    )
    .describe("Those that match, then the nearest misses."),
  total: Count.describe("How many rules were looked at."),
  complete: z.boolean().describe("False when the tenant has more rules than are looked at."),
});

export const explainOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/tenants/{tenant}/events/{event}/explain",
    summary: "Explains for every rule, as it is now, why it matches an event or does not.",
    query: PageQuery.pick({ limit: true }),
    responses: { 200: "The rules.", 404: "No such event, or its bytes are no longer kept." },
    answer: ExplainAnswer,
    async handle(call) {
      const { stores, params, query } = call;
      const { event, record } = await requireArchived(call, params.event ?? "");
      const tenant = params.tenant ?? "";
      const then = new Set(record.subscriptions.map(({ rule }) => rule));
      const { rules, ...rest } = await explainEvent(tenant, event, query.limit, stores.config);
      const shown = rules.map(({ id: rule, faults, enabled, mode, explanation: verdicts }) => {
        const explanation = verdicts as unknown as Json;
        return { rule, matched: faults === 0, enabled, mode, chosen: then.has(rule), explanation };
      });
      return { status: 200, body: { event, rules: shown, ...rest } };
    },
  }),
];
