/** What a tenant's limits let in, and whether they limit it now. */
import * as z from "zod";
import { limitationBy, type ScopeUsage } from "../../src/core/admit/usage.ts";
import { Retryable } from "../../src/core/errors.ts";
import type { Limit, Tenant } from "../../src/core/tenant.ts";
import { viewParts } from "../../src/flows/view-parts.ts";
import { iso } from "./change.ts";
import { Limitation, limitationView } from "./limitation.ts";
import { notFound, type Operation, operation } from "./operation.ts";
import { Count, Time } from "./schemas.ts";

const Scope = z
  .object({
    scope: z.enum(["tenant", "source"]),
    source: z.string().nullable(),
    eventsPerSecond: z.number(),
    burst: z.number(),
    overflow: z.enum(["reject", "demote"]),
    tokens: Count.describe("Left for whoever asks next, beside those that isolates hold."),
    since: Time.describe("When counting began: up to two minutes ago."),
    admitted: Count,
    refused: Count,
    demoted: Count,
  })
  .meta({ id: "LimitUsage" });

const Limits = z
  .object({
    limits: z.array(Limitation).describe("What limits it right now; empty: nothing does."),
    scopes: z.array(Scope).describe("The tenant's own limit, and those of its sources."),
  })
  .meta({ id: "TenantLimits" });

interface Scoped {
  readonly scope: string;
  readonly source: string | null;
  readonly limit: Limit;
}

function scopesOf({ limit, sources }: Tenant): Scoped[] {
  const own = limit === null ? [] : [{ scope: "tenant", source: null, limit }];
  const bySource = [...sources.values()].flatMap(({ id, limit: its }): Scoped[] =>
    its === null ? [] : [{ scope: `source:${id}`, source: id, limit: its }],
  );
  return [...own, ...bySource];
}

const view = ({ source, limit }: Scoped, usage: ScopeUsage): z.infer<typeof Scope> => ({
  scope: source === null ? "tenant" : "source",
  source,
  ...{ eventsPerSecond: limit.perSecond, burst: limit.burst, overflow: limit.overflow },
  ...{ tokens: usage.tokens, since: iso(usage.fromMs) },
  ...{ admitted: usage.admitted, refused: usage.refused, demoted: usage.demoted },
});

export const tenantLimitOperations: readonly Operation[] = [
  operation({
    method: "get",
    path: "/admin/tenants/{tenant}/limits",
    summary:
      "What a tenant's limits have admitted, refused and demoted lately, and what limits it now.",
    responses: { 200: "Empty `limits`: nothing limits it.", 404: "No such tenant." },
    answer: Limits,
    async handle({ app, params }) {
      const { directory, limiter } = app.deliver;
      const tenant = await directory.refresh(params.tenant ?? "");
      if (tenant === null) throw notFound("tenant");
      const scopes = scopesOf(tenant);
      const asked = scopes.map(({ scope, limit }) => ({ scope, rate: limit }));
      const parts = viewParts("tenant-limits", app.deliver);
      const read = () => limiter.usage(tenant.id, asked);
      const usages = asked.length === 0 ? [] : await parts.read("limiter", read, null);
      if (usages === null) throw new Retryable("the limiter did not answer");
      const known = scopes.flatMap((scoped) => {
        const usage = usages.find(({ scope }) => scope === scoped.scope);
        return usage === undefined ? [] : [{ scoped, usage }];
      });
      const limits = known.flatMap(({ scoped: { source, limit }, usage }) =>
        limitationBy(usage, limit, source === null ? "the tenant" : `the source "${source}"`),
      );
      return {
        status: 200,
        body: {
          limits: limits.map(limitationView),
          scopes: known.map(({ scoped, usage }) => view(scoped, usage)),
        },
      };
    },
  }),
];
