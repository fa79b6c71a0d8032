/** Tenants with limits, and webhooks for them, each unlike any before. */
import type { Limit } from "../../src/core/tenant.ts";
import type { Router } from "./router.ts";
import { type Sent, sendMany } from "./senders.ts";

/** So slow that no test lives to see it refill. */
export const ONCE_PER_HOUR = 1 / 3_600;

export const limit = (
  eventsPerSecond: number,
  burst: number,
  overflow: Limit["overflow"] = "reject",
): object => ({ eventsPerSecond, burst, overflow });

/** A tenant with the sources `open` and `other`, whose every event is critical and goes to `url`. */
export async function limitedTenant(
  { admin }: Router,
  id: string,
  url: string,
  limits: { readonly tenant?: object; readonly open?: object } = {},
): Promise<void> {
  const { tenant, open } = limits;
  const verify = { scheme: "none" };
  await admin.put(`tenants/${id}`, tenant ? { limit: tenant } : {});
  await admin.put(`tenants/${id}/sources/open`, open ? { verify, limit: open } : { verify });
  await admin.put(`tenants/${id}/sources/other`, { verify });
  await admin.put(`tenants/${id}/targets/sink`, { kind: "http", url });
  await admin.put(`tenants/${id}/rules/all`, ruleForAll({ priority: "critical" }));
}

export const ruleForAll = (more: object): object => ({
  pattern: { source: [{ exists: true }] },
  priority: "critical",
  targets: ["sink"],
  ...more,
});

type HowMany = { readonly senders?: number } & (
  | { readonly count: number }
  | { readonly enough: (sent: readonly Sent[]) => boolean }
);

/** Sends webhooks to `tenant/source`, one after the other unless there are more senders. */
export const sendTo = ({ url }: Router, path: string, howMany: HowMany): Promise<Sent[]> =>
  sendMany({
    url: `${url}/in/${path}`,
    senders: 1,
    count: Number.POSITIVE_INFINITY,
    body: (index) => JSON.stringify({ index, at: performance.now() }),
    ...howMany,
  });

export interface Answered extends Sent {
  readonly json: {
    readonly priorities: readonly string[];
    readonly scope: string;
    readonly retryAfterMs: number;
  };
}

export async function sendOne(router: Router, path: string): Promise<Answered> {
  const [sent] = await sendTo(router, path, { count: 1 });
  if (sent === undefined) throw new Error("nothing was sent");
  return { ...sent, json: JSON.parse(sent.answer) };
}

export const idsOf = (sent: readonly Sent[]): string[] =>
  sent.map(({ answer }) => JSON.parse(answer).id).sort();
