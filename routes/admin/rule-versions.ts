/** What a rule was: its versions, what changed between two of them, and one of them made the present one again. */
import * as z from "zod";
import { assert } from "../../src/core/errors.ts";
import { type Json, parseJsonDocument, patchBetween } from "../../src/core/json.ts";
import type { AdminStores } from "../../src/ports/admin.ts";
import type { KeptVersion } from "../../src/ports/versions.ts";
import { iso } from "./change.ts";
import { type Call, notFound, type Operation, operation, Refusal } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Rule, ruleOperations } from "./rules.ts";
import { perform } from "./run.ts";
import { Count, RuleBody, Time } from "./schemas.ts";

const PATH = "/admin/tenants/{tenant}/rules/{rule}/versions";
const ONE = `${PATH}/{version}`;

const Version = z
  .object({
    version: Count.describe("The ETag, without its quotes, of the change that made it."),
    ...RuleBody.partial().shape,
    changedAt: Time,
    isCurrent: z.boolean().describe("Whether nothing came after it."),
    deleted: z.boolean().describe("The rule was deleted; then there is nothing else of it."),
  })
  .meta({ id: "RuleVersion" });

const docOf = ({ doc }: KeptVersion): Json => {
  const read = parseJsonDocument(doc ?? "{}");
  return read.ok ? read.value : {};
};

const view = (stored: KeptVersion): Json => ({
  version: stored.version,
  ...(docOf(stored) as Record<string, Json>),
  changedAt: iso(stored.changedAtMs),
  isCurrent: stored.isCurrent,
  deleted: stored.doc === null,
});

type VersionCall = Pick<Call<unknown, unknown>, "stores" | "params">;

/** The version that a path or a query names: any revision of the tenant names the one that stood then. */
async function requireVersion(
  { stores, params }: VersionCall,
  named = params.version ?? "",
): Promise<KeptVersion> {
  const { tenant = "", rule = "" } = params;
  const isOne = /^\d{1,15}$/.test(named);
  const found = isOne ? await stores.versions.at(tenant, rule, Number(named)) : null;
  if (found === null) throw notFound("version of this rule");
  return found;
}

/** The same, of a rule that was there then. */
async function requireRule(call: VersionCall, named?: string): Promise<KeptVersion> {
  const version = await requireVersion(call, named);
  if (version.doc !== null) return version;
  const detail = `The rule was deleted in version ${version.version}: nothing stands there. List its versions and name another.`;
  throw new Refusal({ slug: "conflict", detail });
}

async function newestVersion(stores: AdminStores, tenant: string, rule: string): Promise<string> {
  return String((await stores.versions.current(tenant, rule))?.version ?? "");
}

export const ruleVersionOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary: "Lists what a rule was, newest first, also of one that was deleted.",
    query: PageQuery,
    responses: { 200: "A page of versions.", 404: "There never was such a rule." },
    answer: pageOf(Version),
    async handle({ stores, params, query }) {
      const { tenant = "", rule = "" } = params;
      const position = decodeCursor(query.cursor, ["number"]);
      const before = position === null ? null : Number(position[0]);
      const page = await stores.versions.list(tenant, rule, before, query.limit);
      if (page.items.length === 0 && before === null) throw notFound("rule");
      const cursor = encodeCursor(page.before === null ? null : [page.before]);
      return { status: 200, body: pageBody(page.items.map(view), cursor) };
    },
  }),
  operation({
    method: "get",
    path: ONE,
    summary: "Reads what a rule was at a version, or at any revision of its tenant.",
    responses: { 200: "The version.", 404: "No such version, or it is no longer kept." },
    answer: Version,
    handle: async (call) => ({ status: 200, body: view(await requireVersion(call)) }),
  }),
  operation({
    method: "get",
    path: `${ONE}/diff`,
    summary: "Tells what changed from a version to another, or to the present one.",
    query: z.object({
      with: z
        .string()
        .regex(/^\d{1,15}$/, "not a version")
        .optional()
        .describe("The present version when it is left out."),
    }),
    responses: {
      200: "A JSON Patch (RFC 6902) that makes `with` of `version`.",
      404: "No such version, or it is no longer kept.",
      409: "The rule was deleted in one of them.",
    },
    answer: z.object({
      version: Count,
      with: Count,
      operations: z.array(
        z.object({
          op: z.enum(["add", "remove", "replace"]),
          path: z.string().describe("A JSON Pointer (RFC 6901)."),
          value: z.unknown().optional(),
        }),
      ),
    }),
    async handle(call) {
      const { stores, params, query } = call;
      const { tenant = "", rule = "" } = params;
      const from = await requireRule(call);
      const to = await requireRule(call, query.with ?? (await newestVersion(stores, tenant, rule)));
      const operations = patchBetween(docOf(from), docOf(to)) as unknown as Json;
      return { status: 200, body: { version: from.version, with: to.version, operations } };
    },
  }),
  operation({
    method: "post",
    path: `${ONE}/restore`,
    recorded: "with-change",
    summary: "Makes a version of a rule the present one again, also after the rule was deleted.",
    versioned: true,
    responses: {
      200: "It is; as a new version.",
      201: "The rule is there again.",
      404: "No such version, or it is no longer kept.",
      409: "The rule was deleted in that version.",
      422: "It does not hold any more, for a target that is gone or a rule of today; every fault is named.",
    },
    answer: Rule,
    async handle(call) {
      const put = ruleOperations.find(({ method }) => method === "put");
      assert(put !== undefined, "rules can be put");
      const value = docOf(await requireRule(call));
      return perform(put, { value, duplicates: [] }, call);
    },
  }),
];
