/** What all parts send: a 1 KB order, signed as GitHub does, and a tenant with 100 rules of which one wants it. */
import { createHmac } from "node:crypto";

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

/** Patterns of the kinds people write, none of which wants an order above. */
export function otherPattern(number: number): object {
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
        data: { kind: [{ "anything-but": KINDS }], order: { region: [REGIONS[number % 4]] } },
      };
    default:
      return { data: { items: { sku: [`SKU-${2_000 + number}`], quantity: [number] } } };
  }
}
