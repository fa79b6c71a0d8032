/** Trying a pattern: on one event, sent along or stored, or on several that must match, or must not. */
import * as z from "zod";
import { RULE_TEST_CASES_MAX } from "../../src/core/archive-limits.ts";
import { assert } from "../../src/core/errors.ts";
import { isJsonArray, isJsonObject, type Json } from "../../src/core/json.ts";
import { explainPattern } from "../../src/core/pattern/explain.ts";
import { matchesPattern, parsePattern } from "../../src/core/pattern/index.ts";
import type { Fault } from "../../src/core/problem.ts";
import {
  compileTransformer,
  type Transformer,
  type TransformerDoc,
  transform,
} from "../../src/core/transform/transformer.ts";
import { requireTenant } from "./change.ts";
import { requireArchived } from "./events.ts";
import { type Call, type Operation, operation } from "./operation.ts";
import { patternFaults, sentMember, transformerFaultsOf } from "./rules.ts";
import { TransformerBody } from "./schemas.ts";

/** The event a pattern is tried on: one that is sent along, or one that came before. */
const TriedOn = {
  event: z.unknown().meta({ type: "object" }).optional(),
  eventId: z.string().max(63).optional(),
};

const RuleTestBody = z.strictObject({
  pattern: z.unknown().meta({ type: "object" }),
  transformer: TransformerBody.optional().describe("Shows what a target would get."),
  ...TriedOn,
  cases: z
    .array(z.strictObject({ ...TriedOn, matches: z.boolean() }))
    .min(1)
    .max(RULE_TEST_CASES_MAX)
    .optional()
    .describe("Several events at once, in place of `event` and `eventId`."),
});

/** What one field of a pattern says of an event. */
export const Verdict = z.object({
  path: z.string(),
  operator: z.string(),
  expected: z.unknown(),
  actual: z.unknown().optional().describe("Missing when the event has no value there."),
  ok: z.boolean(),
  reason: z.string(),
});

const Tried = z.object({
  matched: z.boolean(),
  explanation: z.array(Verdict),
  transformed: z
    .union([
      z.object({ contentType: z.string(), body: z.string() }),
      z.object({ reason: z.string().describe("Why nothing would be sent.") }),
    ])
    .optional(),
});

/** Faults of a body, or of one of its cases, at `at`: it names one event. */
function eventFaults(sent: Json, at: string): Fault[] {
  const [event, id] = [sentMember(sent, "event"), sentMember(sent, "eventId")];
  if (event !== null && id !== null) {
    const detail = "An event or the id of a stored one, not both.";
    return [{ pointer: `${at}/eventId`, code: "several-forms", detail }];
  }
  if (id !== null || isJsonObject(event)) return [];
  return [{ pointer: `${at}/event`, code: "not-an-object", detail: "An event is a JSON object." }];
}

function casesFaults(sent: Json): Fault[] {
  const cases = sentMember(sent, "cases");
  if (cases === null) return eventFaults(sent, "");
  if (!isJsonArray(cases)) return []; // which the schema says
  const faults = cases.flatMap((each, index) => eventFaults(each, `/cases/${index}`));
  if (sentMember(sent, "event") === null && sentMember(sent, "eventId") === null) return faults;
  const detail = "Either one event, or cases, not both.";
  return [...faults, { pointer: "/cases", code: "several-forms", detail }];
}

function transformerIn(sent: Json): Transformer | null {
  const transformer = sentMember(sent, "transformer");
  return transformer === null ? null : compileTransformer(transformer as unknown as TransformerDoc);
}

type TestCall = Pick<Call<unknown, unknown>, "app" | "stores" | "params">;

/** The event that a body or case names, as rules see it. */
async function eventOf(sent: Json, call: TestCall): Promise<Json> {
  const event = sentMember(sent, "event");
  return event ?? (await requireArchived(call, String(sentMember(sent, "eventId")))).event;
}

export const ruleTestOperations: readonly Operation[] = [
  operation({
    method: "post",
    path: "/admin/tenants/{tenant}/rules/test",
    changes: false,
    summary:
      "Tries a pattern on an event, or on several that must or must not match, and explains each verdict field by field.",
    body: RuleTestBody,
    responses: {
      200: "Whether it matches, and why; of cases, whether each is as it must be.",
      404: "No such tenant, or no such stored event.",
      422: "The pattern cannot be parsed; every fault is named.",
    },
    answer: z.union([
      Tried,
      z.object({
        passed: z.boolean().describe("Whether every case is as it must be."),
        cases: z.array(Tried.extend({ ok: z.boolean() })),
      }),
    ]),
    faults: async (sent) => [
      ...patternFaults(sent),
      ...transformerFaultsOf(sentMember(sent, "transformer"), "/transformer"),
      ...casesFaults(sent),
    ],
    async handle(call) {
      const { stores, params, sent } = call;
      await requireTenant(stores.config, params.tenant ?? "");
      const parsed = parsePattern(sentMember(sent, "pattern"));
      assert(parsed.ok, "a pattern without faults can be parsed");
      const { pattern } = parsed;
      const transformer = transformerIn(sent);
      const tried = async (one: Json) => {
        const event = await eventOf(one, call);
        const explanation = explainPattern(pattern, event) as unknown as Json;
        const verdict = { matched: matchesPattern(pattern, event), explanation };
        if (transformer === null) return verdict;
        const { ok: _, ...transformed } = transform(transformer, event);
        return { ...verdict, transformed };
      };
      const asked = sentMember(sent, "cases");
      if (!isJsonArray(asked)) return { status: 200, body: await tried(sent) };
      const cases = [];
      // One after the other: a stored event may be a big one.
      for (const each of asked) {
        const verdict = await tried(each);
        cases.push({ ...verdict, ok: verdict.matched === sentMember(each, "matches") });
      }
      return { status: 200, body: { passed: cases.every(({ ok }) => ok), cases } };
    },
  }),
];
