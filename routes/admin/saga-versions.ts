/** What a saga was: its versions, any of which an instance may be migrated to. */
import * as z from "zod";
import { PUBLIC_ONLY } from "../../src/core/deliver/target-url.ts";
import type { Json } from "../../src/core/json.ts";
import { unpack } from "../../src/core/saga/text.ts";
import type { KeptVersion } from "../../src/ports/versions.ts";
import { iso } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { sagaBody } from "./saga-schemas.ts";
import { Count, Time } from "./schemas.ts";

const PATH = "/admin/tenants/{tenant}/sagas/{saga}/versions";

const Version = z
  .object({
    version: Count.describe("The ETag, without its quotes, of the change that made it."),
    ...sagaBody(PUBLIC_ONLY).partial().shape,
    changedAt: Time,
    isCurrent: z.boolean().describe("Whether nothing came after it."),
    deleted: z.boolean().describe("The saga was deleted; then there is nothing else of it."),
  })
  .meta({ id: "SagaVersion" });

const view = ({ version, doc, changedAtMs, isCurrent }: KeptVersion): Json => ({
  version,
  ...(doc === null ? {} : unpack<Record<string, Json>>(doc)),
  changedAt: iso(changedAtMs),
  isCurrent,
  deleted: doc === null,
});

export const sagaVersionOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: PATH,
    summary: "Lists what a saga was, newest first, also of one that was deleted.",
    query: PageQuery,
    responses: { 200: "A page of versions.", 404: "There never was such a saga." },
    answer: pageOf(Version),
    async handle({ stores, params, query }) {
      const { tenant = "", saga = "" } = params;
      const position = decodeCursor(query.cursor, ["number"]);
      const before = position === null ? null : Number(position[0]);
      const page = await stores.sagaVersions.list(tenant, saga, before, query.limit);
      if (page.items.length === 0 && before === null) throw notFound("saga");
      const cursor = encodeCursor(page.before === null ? null : [page.before]);
      return { status: 200, body: pageBody(page.items.map(view), cursor) };
    },
  }),
  operation({
    method: "get",
    path: `${PATH}/{version}`,
    summary: "Reads what a saga was at a version, or at any revision of its tenant.",
    responses: { 200: "The version.", 404: "No such version, or it is no longer kept." },
    answer: Version,
    async handle({ stores, params }) {
      const { tenant = "", saga = "", version = "" } = params;
      const isOne = /^\d{1,15}$/.test(version);
      const found = isOne ? await stores.sagaVersions.at(tenant, saga, Number(version)) : null;
      if (found === null) throw notFound("version of this saga");
      return { status: 200, body: view(found) };
    },
  }),
];
