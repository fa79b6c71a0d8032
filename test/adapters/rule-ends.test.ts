/** When a target lost its last rule, out of the versions of rules in D1. */
import { describe, expect, it } from "vitest";
import { createRuleEnds } from "../../src/adapters/d1/rule-ends.ts";
import { createVersions } from "../../src/adapters/d1/versions.ts";
import { config, freshTenant, session } from "./ledgers.ts";

const ends = createRuleEnds(session);
const versions = createVersions(session, "rule");

async function tenantHere(): Promise<string> {
  const tenant = freshTenant();
  await config.putTenant(tenant, "{}", null);
  return tenant;
}

const put = (tenant: string, id: string, doc: object) =>
  config.putResource(tenant, "rule", id, { doc: JSON.stringify(doc), secrets: null }, null);

const changedAt = async (tenant: string, id: string) =>
  (await versions.current(tenant, id))?.changedAtMs;

describe("the end of a target's last rule", () => {
  it.each([
    ["names other targets", { targets: ["other"] }],
    ["is disabled", { targets: ["sink"], enabled: false }],
    ["is a shadow", { targets: ["sink"], mode: "shadow" }],
  ])("is the change after which it %s", async (_, doc) => {
    const tenant = await tenantHere();
    await put(tenant, "r", { targets: ["other", "sink"], n: 1 });
    expect(await ends.last(tenant, "sink")).toBeNull();
    await put(tenant, "r", doc);
    const endedAtMs = await changedAt(tenant, "r");
    expect(await ends.last(tenant, "sink")).toBe(endedAtMs);
    await put(tenant, "r", { ...doc, n: 2 });
    expect(await ends.last(tenant, "sink")).toBe(endedAtMs);
  });

  it("is the deletion of the rule, of several the last one's", async () => {
    const tenant = await tenantHere();
    await put(tenant, "first", { targets: ["sink"] });
    await put(tenant, "last", { targets: ["sink"] });
    await config.deleteResource(tenant, "rule", "first", null);
    await config.deleteResource(tenant, "rule", "last", null);
    expect(await ends.last(tenant, "sink")).toBe(await changedAt(tenant, "last"));
  });

  it("is none where no rule ever sent to it, nor another tenant's", async () => {
    const [tenant, other] = [await tenantHere(), await tenantHere()];
    await put(tenant, "r", { targets: ["sinks"] });
    await put(tenant, "r", { targets: ["sink"], enabled: false });
    await put(other, "r", { targets: ["sink"] });
    await config.deleteResource(other, "rule", "r", null);
    expect(await ends.last(tenant, "sink")).toBeNull();
  });
});
