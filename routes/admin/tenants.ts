/** Tenants: who owns limits, sources, targets and rules. */
import { timeOrderedId } from "../../src/core/ids.ts";
import { type Json, stringifyJson } from "../../src/core/json.ts";
import { sweep } from "../../src/flows/sweep.ts";
import type { StoredTenant } from "../../src/ports/config.ts";
import { announce, iso, written } from "./change.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { decodeCursor, encodeCursor, PageQuery, pageBody, pageOf } from "./page.ts";
import { Slug, stored, TenantBody } from "./schemas.ts";
import { requireSlug } from "./slug.ts";

const PATH = "/admin/tenants/{tenant}";

const Tenant = stored(TenantBody.shape).meta({ id: "Tenant" });

const view = (tenant: StoredTenant): Json => ({
  id: tenant.id,
  ...JSON.parse(tenant.doc),
  version: tenant.version,
  createdAt: iso(tenant.createdAtMs),
  updatedAt: iso(tenant.updatedAtMs),
});

export const tenantOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/tenants",
    summary: "Lists tenants by name.",
    query: PageQuery,
    responses: { 200: "A page of tenants." },
    answer: pageOf(Tenant),
    async handle({ stores, query }) {
      const after = String(decodeCursor(query.cursor, ["string"])?.[0] ?? "");
      const page = await stores.config.tenants(after, query.limit);
      const cursor = encodeCursor(page.after === null ? null : [page.after]);
      return { status: 200, body: pageBody(page.items.map(view), cursor) };
    },
  }),
  operation({
    method: "get",
    path: PATH,
    summary: "Reads a tenant.",
    responses: { 200: "The tenant.", 404: "No such tenant." },
    answer: Tenant,
    async handle({ stores, params }) {
      const tenant = await stores.config.tenant(params.tenant ?? "");
      if (tenant === null) throw notFound("tenant");
      return { status: 200, body: view(tenant), version: tenant.version };
    },
  }),
  operation({
    method: "put",
    path: PATH,
    recorded: "with-change",
    summary: "Creates or replaces a tenant.",
    body: TenantBody,
    bodyOptional: true,
    responses: { 200: "Replaced.", 201: "Created." },
    answer: Tenant,
    async handle(call) {
      const { stores, params, body, ifVersion } = call;
      const id = requireSlug(Slug, params, "tenant");
      const doc = stringifyJson(body as Json);
      const result = written(await stores.config.putTenant(id, doc, ifVersion), "tenant");
      await announce(call, id, result.revision);
      const tenant = await stores.config.tenant(id);
      if (tenant === null) throw notFound("tenant");
      const status = result.created ? 201 : 200;
      return { status, body: view(tenant), version: tenant.version };
    },
  }),
  operation({
    method: "delete",
    path: PATH,
    recorded: "with-change",
    summary: "Deletes a tenant: its configuration at once, all else of it by a job.",
    responses: {
      204: "Deleted; `location` is the job that removes the rest.",
      404: "No such tenant.",
    },
    async handle(call) {
      const { app, stores, params, ifVersion, defer } = call;
      const id = params.tenant ?? "";
      const { clock, random } = app.deliver;
      const job = timeOrderedId("job_", clock.nowMs(), random.bytes(10));
      const result = written(await stores.config.deleteTenant(id, ifVersion, job), "tenant");
      // Should nobody hear of it now, the job announces it with each of its passes.
      await announce(call, id, result.revision).catch(() => {});
      defer(sweep("overdue", app.deliver));
      return { status: 204, location: `/admin/tenants/${id}/jobs/${job}` };
    },
  }),
];
