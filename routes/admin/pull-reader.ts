/** The target of a request that only a target's reader makes. */
import type { PullTarget } from "../../src/core/pull/pull.ts";
import type { Target, Tenant } from "../../src/core/tenant.ts";
import type { GateId } from "../../src/ports/gates.ts";
import { type Call, notFound, Refusal } from "./operation.ts";

export const PATH = "/admin/tenants/{tenant}/targets/{target}";

export interface Reader {
  readonly id: GateId;
  readonly tenant: Tenant;
  readonly target: Target;
  readonly pull: PullTarget;
}

/** The target, if it is one that is read. */
export async function readerOf({
  app,
  params,
}: Pick<Call<unknown, unknown>, "app" | "params">): Promise<Reader> {
  const id = { tenant: params.tenant ?? "", target: params.target ?? "" };
  const tenant = await app.deliver.directory.refresh(id.tenant);
  const target = tenant?.targets.get(id.target);
  if (tenant === null || target === undefined) throw notFound("target");
  const pulled = target.other;
  if (pulled?.kind === "pull") return { id, tenant, target, pull: pulled };
  const detail = `The target "${id.target}" is not read: only one of kind pull is.`;
  throw new Refusal({ slug: "conflict", detail });
}

export function requireOpen({ id, target }: Reader, why: string): void {
  if (target.closed === null) return;
  const detail = `The target "${id.target}" is ${target.closed}: ${why}.`;
  throw new Refusal({ slug: "conflict", detail });
}

export const refusals = {
  404: "No such target.",
  409: "The target is of another kind.",
};
