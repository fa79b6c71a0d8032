/** What all parts send: a 1 KB order, signed as GitHub does, and a tenant with 100 rules of which one wants it. */
import { createHmac } from "node:crypto";
import type { JsonObject } from "../src/core/json.ts";
import type { Admin } from "../src/local/admin.ts";

export const SECRET = "bench-secret";
export const RULES = 100;
export const RULES_MATCHING = 1;
export const BODY_BYTES = 1_024;

export const ID_HEADER = "x-github-delivery";

const REGIONS = ["eu-west", "eu-north", "us-east", "us-west", "ap-south"];

/** Of orders: each is wanted by one rule, of the priority of this name. */
export const KINDS = ["critical", "normal", "bulk"] as const;

/** An order of exactly `BODY_BYTES`; `kind` decides which of the tenant's rules wants it. */
export function order(kind: string): string {
  const document = {
    kind,
    order: { id: "ord_7f3a91", amount: 129.9, currency: "EUR", region: "eu-west", express: true },
    customer: { id: "cus_1842", tier: "gold", email: "ada@example.com", since: "2019-04-02" },
    items: Array.from({ length: 5 }, (_, at) => ({
      sku: `SKU-${1_000 + at}`,
      name: `Part number ${at}`,
      quantity: at + 1,
      price: 19.5 + at,
      tags: ["new", "boxed"],
    })),
    note: "",
  };
  const missing = BODY_BYTES - JSON.stringify(document).length;
  return JSON.stringify({ ...document, note: "x".repeat(missing) });
}

/** As GitHub sends it, but for the delivery's id, which is new for every request. */
export function webhookHeaders(body: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "user-agent": "GitHub-Hookshot/bench",
    accept: "*/*",
    "x-github-event": "order",
    "x-github-hook-id": "292430182",
    "x-github-hook-installation-target-id": "79929171",
    "x-github-hook-installation-target-type": "repository",
    "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
  };
}

/** Tenant `bench`: a GitHub source, one target, and 100 rules of which an order of each kind matches one. */
export async function prepareTenant(admin: Admin, url: string): Promise<void> {
  await admin.put("tenants/bench", {});
  await admin.put("tenants/bench/sources/github", {
    verify: { scheme: "github", secrets: [SECRET] },
  });
  await admin.put("tenants/bench/targets/receiver", { kind: "http", url });
  for (const { id, pattern, priority } of rules(RULES)) {
    await admin.put(`tenants/bench/rules/${id}`, { pattern, priority, targets: ["receiver"] });
  }
}

export interface BenchRule {
  readonly id: string;
  readonly pattern: JsonObject;
  readonly priority: (typeof KINDS)[number];
}

/** `count` rules: one for each kind of order, the rest for what no order is. */
export function rules(count: number): BenchRule[] {
  return Array.from({ length: count }, (_, at) => {
    const priority = KINDS[at];
    if (priority === undefined) return { id: `other-${at}`, pattern: other(at), priority: "bulk" };
    const data = { kind: [priority], order: { amount: [{ exists: true }] } };
    return { id: `orders-${priority}`, pattern: { type: ["order"], data }, priority };
  });
}

/** Patterns of the kinds people write, none of which wants an order above. */
function other(number: number): JsonObject {
  const kind = `kind-${number}`;
  switch (number % 5) {
    case 0:
      return { type: ["order"], data: { kind: [kind, `${kind}-old`] } };
    case 1:
      return { data: { order: { amount: [{ numeric: [">", 1_000 + number] }] } } };
    case 2:
      return { data: { customer: { id: [{ prefix: `cus_9${number}` }], tier: ["gold"] } } };
    case 3:
      return {
        data: { kind: [{ "anything-but": KINDS }], order: { region: [REGIONS[number % 4] ?? ""] } },
      };
    default:
      return { data: { items: { sku: [`SKU-${2_000 + number}`], quantity: [number] } } };
  }
}
