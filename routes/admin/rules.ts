/** Rules: which events go to which targets, and how urgently; and trying a pattern on an event. */
import * as z from "zod";
import { assert } from "../../src/core/errors.ts";
import { isJsonArray, isJsonObject, type Json } from "../../src/core/json.ts";
import { TARGETS_PER_RULE_MAX } from "../../src/core/limits.ts";
import { explainPattern, matchesPattern, parsePattern } from "../../src/core/pattern/index.ts";
import type { Fault } from "../../src/core/problem.ts";
import type { ConfigStore } from "../../src/ports/config.ts";
import { requireTenant } from "./change.ts";
import { type Operation, operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { RuleBody, RuleTestBody, stored } from "./schemas.ts";

const memberOf = (sent: Json, name: string): Json =>
  isJsonObject(sent) ? (sent[name] ?? null) : null;

/** The faults of a body's pattern, at their place in the body. */
function patternFaults(sent: Json): Fault[] {
  const parsed = parsePattern(memberOf(sent, "pattern"));
  if (parsed.ok) return [];
  return parsed.issues.map(({ pointer, code, detail }) => {
    return { pointer: `/pattern${pointer}`, code, detail };
  });
}

async function targetFaults(sent: Json, config: ConfigStore, tenant: string): Promise<Fault[]> {
  const targets = memberOf(sent, "targets");
  if (!isJsonArray(targets) || targets.length > TARGETS_PER_RULE_MAX) return [];
  const faults = await Promise.all(
    targets.map(async (id, index): Promise<Fault[]> => {
      if (typeof id !== "string" || (await config.resource(tenant, "target", id)) !== null)
        return [];
      const detail = `There is no target "${id}"; create it first.`;
      return [{ pointer: `/targets/${index}`, code: "unknown-target", detail }];
    }),
  );
  return faults.flat();
}

const crud = resourceOperations<z.infer<typeof RuleBody>>({
  kind: "rule",
  body: RuleBody,
  answer: stored(RuleBody.shape).meta({ id: "Rule" }),
  async faults(sent, { stores, params }) {
    const tenant = params.tenant ?? "";
    await requireTenant(stores.config, tenant);
    return [...patternFaults(sent), ...(await targetFaults(sent, stores.config, tenant))];
  },
  // The pattern as it was sent: its numbers keep their spelling.
  async store({ body, sent }) {
    const doc = { ...(body as Record<string, Json>), pattern: memberOf(sent, "pattern") };
    return { doc, secrets: null };
  },
});

const Verdict = z.object({
  path: z.string(),
  operator: z.string(),
  expected: z.unknown(),
  actual: z.unknown().optional().describe("Missing when the event has no value there."),
  ok: z.boolean(),
  reason: z.string(),
});

export const ruleOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: "/admin/tenants/{tenant}/rules/test",
    summary: "Tries a pattern on an event and explains the verdict field by field.",
    body: RuleTestBody,
    responses: {
      200: "Whether it matches, and why.",
      404: "No such tenant.",
      422: "The pattern cannot be parsed; every fault is named.",
    },
    answer: z.object({ matched: z.boolean(), explanation: z.array(Verdict) }),
    async faults(sent) {
      const event = isJsonObject(memberOf(sent, "event"));
      const detail = "An event is a JSON object.";
      return [
        ...patternFaults(sent),
        ...(event ? [] : [{ pointer: "/event", code: "not-an-object", detail }]),
      ];
    },
    async handle({ stores, params, sent }) {
      await requireTenant(stores.config, params.tenant ?? "");
      const event = memberOf(sent, "event");
      const parsed = parsePattern(memberOf(sent, "pattern"));
      assert(parsed.ok, "a pattern without faults can be parsed");
      const explanation = explainPattern(parsed.pattern, event) as unknown as Json;
      const matched = matchesPattern(parsed.pattern, event);
      return { status: 200, body: { matched, explanation } };
    },
  }),
  ...crud,
];
