/** What a target may be refused for beside its shape: addresses, secrets, and names of what is not there. */
import type { App } from "../../src/compose.ts";
import { type AddressPolicy, refusedAddress } from "../../src/core/deliver/target-url.ts";
import { isJsonObject, type Json } from "../../src/core/json.ts";
import type { Fault } from "../../src/core/problem.ts";
import { type Operation, Refusal } from "./operation.ts";
import { sentMember } from "./rules.ts";
import { authFaults } from "./target-auth.ts";
import { orderFaultsOf } from "./target-schemas.ts";
import { secretFaults } from "./target-secrets.ts";

/** Faults that the schema of a target cannot name. */
export const targetFaults: NonNullable<Operation["faults"]> = async (
  sent,
  { app, addresses, before, stores, params },
) => {
  if (isJsonObject(sent) && sent.kind === "http") {
    const { url, secrets, auth = null } = sent;
    const { clock, crypto } = app.deliver;
    return [
      ...(await addressFaults("/url", url, addresses, app)),
      ...(await addressFaults("/auth/tokenUrl", sentMember(auth, "tokenUrl"), addresses, app)),
      ...authFaults(sent, before?.secrets?.headers ?? {}),
      ...secretFaults(secrets, before?.secrets ?? null, clock.nowMs(), crypto),
      ...orderFaultsOf(sentMember(sent, "order"), sentMember(sent, "batch")),
    ];
  }
  const unbound = bindingFault(sent, app);
  if (unbound !== null) return [unbound];
  const saga = sentMember(sent, "saga");
  if (sentMember(sent, "kind") !== "saga" || typeof saga !== "string") return [];
  if ((await stores.config.resource(params.tenant ?? "", "saga", saga)) !== null) return [];
  return [
    {
      pointer: "/saga",
      code: "unknown-saga",
      detail: `There is no saga "${saga}"; create it first.`,
    },
  ];
};

/** A binding is there when the router is deployed with it: which there are stands in no document. */
function bindingFault(sent: Json, { deliver: { bound } }: App): Fault | null {
  const kind = sentMember(sent, "kind");
  if (kind !== "queue" && kind !== "service") return null;
  const name = sentMember(sent, kind);
  const names = kind === "queue" ? bound.queues : bound.services;
  if (typeof name !== "string" || names.includes(name)) return null;
  const there = names.length === 0 ? "none is" : `there are ${names.join(", ")}`;
  const binding = `TARGET_${kind.toUpperCase()}_${name.toUpperCase().replaceAll("-", "_")}`;
  const detail = `No ${kind} "${name}" is bound (${there}): bind it as ${binding} and deploy.`;
  return { pointer: `/${kind}`, code: "unknown-binding", detail };
}

/** What the name in an address stands for, where names are looked up; how it is written is the schema's to judge. */
async function addressFaults(
  pointer: string,
  url: Json | undefined,
  addresses: AddressPolicy,
  app: App,
): Promise<Fault[]> {
  if (typeof url !== "string" || !URL.canParse(url)) return [];
  if (refusedAddress(new URL(url), addresses) !== null) return [];
  const verdict = await app.guard.check(url);
  if (verdict.kind === "allowed") return [];
  const { detail } = verdict;
  if (verdict.kind === "unknown") {
    const text = `Nothing was saved: ${detail}.`;
    throw new Refusal({ slug: "unavailable", detail: text, retryAfterMs: 5_000 });
  }
  const code = verdict.kind === "refused" ? "target-refused" : "target-unresolved";
  return [{ pointer, code, detail }];
}
