/** Rules: which events go to which targets, and how urgently; and trying a pattern on an event. */
import type * as z from "zod";
import { isJsonObject, type Json } from "../../src/core/json.ts";
import {
  explainPattern,
  matchesPattern,
  type Pattern,
  parsePattern,
} from "../../src/core/pattern/index.ts";
import type { Fault } from "../../src/core/problem.ts";
import { requireTenant } from "./change.ts";
import { invalid, type Operation, operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { RuleBody, RuleTestBody } from "./schemas.ts";

/** The parsed pattern of a body, or all its faults with their place in the body. */
function readPattern(
  sent: Json,
  duplicateKeys: readonly string[],
): { pattern: Pattern | null; faults: Fault[] } {
  const value = isJsonObject(sent) ? (sent["pattern"] ?? null) : null;
  const inside = duplicateKeys
    .filter((pointer) => pointer.startsWith("/pattern/"))
    .map((pointer) => pointer.slice("/pattern".length));
  const parsed = parsePattern(value, inside);
  if (parsed.ok) return { pattern: parsed.pattern, faults: [] };
  const faults = parsed.issues.map(({ pointer, code, detail }) => {
    return { pointer: `/pattern${pointer}`, code, detail };
  });
  return { pattern: null, faults };
}

const crud = resourceOperations<z.infer<typeof RuleBody>>({
  kind: "rule",
  body: RuleBody,
  async store({ stores, params, body, sent, duplicateKeys }) {
    const { faults } = readPattern(sent, duplicateKeys);
    const known = await Promise.all(
      body.targets.map((id) => stores.config.resource(params["tenant"] ?? "", "target", id)),
    );
    for (const [index, target] of known.entries()) {
      if (target !== null) continue;
      const detail = `There is no target "${body.targets[index]}"; create it first.`;
      faults.push({ pointer: `/targets/${index}`, code: "unknown-target", detail });
    }
    if (faults.length > 0) throw invalid(faults);
    // The pattern as it was sent: its numbers keep their spelling.
    const pattern = isJsonObject(sent) ? (sent["pattern"] ?? null) : null;
    return { doc: { ...(body as Record<string, Json>), pattern }, secrets: null };
  },
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
    async handle({ stores, params, sent, duplicateKeys }) {
      await requireTenant(stores.config, params["tenant"] ?? "");
      const { pattern, faults } = readPattern(sent, duplicateKeys);
      const event = isJsonObject(sent) ? (sent["event"] ?? null) : null;
      if (!isJsonObject(event)) {
        const detail = "An event is a JSON object.";
        faults.push({ pointer: "/event", code: "not-an-object", detail });
      }
      if (pattern === null || faults.length > 0) throw invalid(faults);
      const explanation = explainPattern(pattern, event) as unknown as Json;
      return { status: 200, body: { matched: matchesPattern(pattern, event), explanation } };
    },
  }),
  ...crud,
];
