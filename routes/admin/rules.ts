/** Rules: which events go to which targets, and how urgently. */
import * as z from "zod";
import { forEachFaults } from "../../src/core/fan-out/for-each.ts";
import { formatPointer, isJsonArray, isJsonObject, type Json } from "../../src/core/json.ts";
import { RULES_PER_TENANT_MAX, TARGETS_PER_RULE_MAX } from "../../src/core/limits.ts";
import { parsePattern } from "../../src/core/pattern/index.ts";
import type { Fault } from "../../src/core/problem.ts";
import { type TransformerDoc, transformerFaults } from "../../src/core/transform/transformer.ts";
import type { ConfigStore } from "../../src/ports/config.ts";
import { iso, isoOrNull, requireTenant } from "./change.ts";
import type { Operation } from "./operation.ts";
import { resourceOperations } from "./resource.ts";
import { Count, RuleBody, stored, Time, TransformerBody } from "./schemas.ts";

/** Of what was sent, whatever it is; null when it is not there. */
export const sentMember = (sent: Json, name: string): Json =>
  isJsonObject(sent) ? (sent[name] ?? null) : null;

/** The faults of a body's pattern, at their place in the body. */
export function patternFaults(sent: Json): Fault[] {
  const parsed = parsePattern(sentMember(sent, "pattern"));
  if (parsed.ok) return [];
  return parsed.issues.map(({ pointer, code, detail }) => {
    return { pointer: `/pattern${pointer}`, code, detail };
  });
}

/** The faults of a transformer that was sent, at its place; what has no shape of one the schema names. */
export function transformerFaultsOf(sent: Json, pointer: string): Fault[] {
  const shaped = TransformerBody.safeParse(sent).success && sentMember(sent, "template") !== null;
  return shaped ? transformerFaults(sent as unknown as TransformerDoc, pointer) : [];
}

async function transformersFaults(
  sent: Json,
  config: ConfigStore,
  tenant: string,
): Promise<Fault[]> {
  const transformers = sentMember(sent, "transformers");
  const targets = sentMember(sent, "targets");
  if (!isJsonObject(transformers)) return [];
  const faults = await Promise.all(
    Object.entries(transformers).map(async ([target, transformer]): Promise<Fault[]> => {
      const pointer = `/transformers${formatPointer([target])}`;
      if (!isJsonArray(targets) || !targets.includes(target)) {
        const detail = `"${target}" is no target of this rule; add it to \`targets\`.`;
        return [{ pointer, code: "no-target-of-it", detail }];
      }
      const stored = await config.resource(tenant, "target", target);
      if (stored !== null && sentMember(JSON.parse(stored.doc), "kind") === "saga") {
        const detail = "A saga takes the event as it is; its steps choose what they send.";
        return [{ pointer, code: "target-takes-events", detail }];
      }
      return transformerFaultsOf(transformer, pointer);
    }),
  );
  return faults.flat();
}

/** The faults of the list's place; what has no shape of one the schema names. */
function forEachFaultsOf(sent: Json): Fault[] {
  const read = RuleBody.shape.forEach.safeParse(sentMember(sent, "forEach") ?? undefined);
  return read.success && read.data !== undefined ? forEachFaults(read.data) : [];
}

async function targetFaults(sent: Json, config: ConfigStore, tenant: string): Promise<Fault[]> {
  const targets = sentMember(sent, "targets");
  if (!isJsonArray(targets) || targets.length > TARGETS_PER_RULE_MAX) return [];
  const faults = await Promise.all(
    targets.map(async (id, index): Promise<Fault[]> => {
      if (typeof id !== "string") return [];
      const pointer = `/targets/${index}`;
      if (targets.indexOf(id) < index) {
        const detail = `"${id}" is named already; a rule sends to a target once.`;
        return [{ pointer, code: "target-twice", detail }];
      }
      if ((await config.resource(tenant, "target", id)) !== null) return [];
      const detail = `There is no target "${id}"; create it first.`;
      return [{ pointer, code: "unknown-target", detail }];
    }),
  );
  return faults.flat();
}

/** Of a rule in shadow, as far as isolates have told. */
const Shadow = z
  .object({
    matched: Count.describe("Events, copies included. Approximate: told every two seconds."),
    since: Time.describe("When this version was saved: each counts anew."),
    lastMatchedAt: Time.nullable(),
  })
  .nullable()
  .describe("What it matched; null when the counts cannot be read at the moment.");

export const Rule = stored({ ...RuleBody.shape, shadow: Shadow.optional() }).meta({ id: "Rule" });

export const ruleOperations: readonly Operation[] = resourceOperations<z.infer<typeof RuleBody>>({
  kind: "rule",
  body: RuleBody,
  answer: Rule,
  refusals: { 409: `A new rule, and the tenant has ${RULES_PER_TENANT_MAX} already.` },
  async faults(sent, { stores, params }) {
    const tenant = params.tenant ?? "";
    await requireTenant(stores.config, tenant);
    return [
      ...patternFaults(sent),
      ...(await targetFaults(sent, stores.config, tenant)),
      ...(await transformersFaults(sent, stores.config, tenant)),
      ...forEachFaultsOf(sent),
    ];
  },
  // Pattern and templates as they were sent: their numbers keep their spelling.
  async store({ body, sent }) {
    const transformers = sentMember(sent, "transformers");
    const doc = {
      ...(body as unknown as Record<string, Json>),
      pattern: sentMember(sent, "pattern"),
      ...(transformers === null ? {} : { transformers }),
    };
    return { doc, secrets: null };
  },

  async show(doc, { id, version, updatedAtMs }, counted) {
    if (doc.mode !== "shadow") return doc;
    const all = await counted.shadowMatches();
    const own = all?.find((matches) => matches.rule === id && matches.version === version);
    const shadow = {
      matched: own?.matched ?? 0,
      since: iso(updatedAtMs),
      lastMatchedAt: isoOrNull(own?.lastMatchedAtMs ?? null),
    };
    return { ...doc, shadow: all === null ? null : shadow };
  },
});
