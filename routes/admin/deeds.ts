/** The audit log: what operators did, who and why. */
import * as z from "zod";
import { DEED_OUTCOMES } from "../../src/core/deed.ts";
import type { Json } from "../../src/core/json.ts";
import { ACTOR_CHARACTERS_MAX } from "../../src/core/operator-limits.ts";
import type { AdminStores } from "../../src/ports/admin.ts";
import type { Deed, DeedQuery } from "../../src/ports/deeds.ts";
import { iso } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import {
  decodeCursor,
  encodeCursor,
  PageQuery,
  pageBody,
  pageOf,
  rangeOf,
  TimeQuery,
} from "./page.ts";
import { Count, Slug, Time } from "./schemas.ts";

const Query = PageQuery.extend({
  ...TimeQuery.shape,
  actor: z.string().max(ACTOR_CHARACTERS_MAX).optional().describe("A key's id, or a name."),
  action: z.string().max(200).optional().describe("An `operationId` of this document."),
});
type Asked = z.infer<typeof Query> & { readonly tenant?: string | undefined };

const scalar = z.union([z.number(), z.boolean()]).optional();

const DeedAnswer = z
  .object({
    id: z.string(),
    at: Time,
    actor: z.object({
      key: z.string().describe("Which token opened the admin routes: a part of its hash."),
      name: z.string().nullable().describe("As far as the client says."),
    }),
    action: z.string().describe("An `operationId` of this document."),
    resource: z.string().describe("The path."),
    tenant: Slug.nullable(),
    reason: z.string().nullable(),
    outcome: z.enum(DEED_OUTCOMES).describe("`begun` for good: it is not known how it ended."),
    status: z.int().nullable().describe("Of the answer."),
    change: z
      .object({
        before: Count.nullable().describe("The version before; null where there was nothing."),
        after: Count.nullable(),
        members: z
          .array(z.object({ path: z.string(), from: scalar, to: scalar }))
          .describe("What is not as it was; numbers and flags with their values."),
        unnamed: Count.describe("Members that are not named, being too many."),
      })
      .nullable()
      .describe("Null for what has no versions."),
  })
  .meta({ id: "Deed" });

const view = ({ key, name, atMs, change, ...deed }: Deed): Json => ({
  ...deed,
  at: iso(atMs),
  actor: { key, name },
  change: change as unknown as Json,
});

async function pageFor(stores: AdminStores, asked: Asked, fromMs: number) {
  const range = rangeOf(asked);
  const { tenant, actor, action } = asked;
  const query: DeedQuery = {
    ...{ tenant, actor, action, toMs: range.toMs },
    fromMs: Math.max(range.fromMs, fromMs),
  };
  const at = decodeCursor(asked.cursor, ["number", "string"]);
  const after = at === null ? null : { atMs: Number(at[0]), id: String(at[1]) };
  const { items, next } = await stores.deeds.list(query, after, asked.limit);
  const cursor = encodeCursor(next === null ? null : [next.atMs, next.id]);
  return { status: 200, body: pageBody(items.map(view), cursor) };
}

export const deedOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/audit",
    summary: "What operators did, newest first; of deleted tenants as well.",
    query: Query.extend({ tenant: Slug.optional() }),
    responses: { 200: "A page of the audit log." },
    answer: pageOf(DeedAnswer),
    handle: ({ stores, query }) => pageFor(stores, query, 0),
  }),
  operation({
    method: "get",
    path: "/admin/tenants/{tenant}/audit",
    summary: "What operators did to a tenant and what it owns since it was made, newest first.",
    query: Query,
    responses: { 200: "A page of the audit log.", 404: "No such tenant." },
    answer: pageOf(DeedAnswer),
    async handle({ stores, params, query }) {
      const tenant = await stores.config.tenant(params.tenant ?? "");
      if (tenant === null) throw notFound("tenant");
      return pageFor(stores, { ...query, tenant: tenant.id }, tenant.createdAtMs);
    },
  }),
];
