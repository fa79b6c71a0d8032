/** A tenant made for a test: an open source, and targets that each webhook names itself. */
import { type Accepted, accepted } from "./ingest-answer.ts";
import type { Router } from "./router.ts";
import { eventually } from "./wait.ts";

export interface Attempt {
  readonly number: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly answer: string | null;
  readonly batch?: string;
}

export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly target: string;
  readonly state: string;
  readonly attemptCount: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly attempts: readonly Attempt[];
}

/** What of a target matters to a test; see the contract for the rest. */
export interface TargetFields {
  readonly url: string;
  readonly secrets?: readonly (string | Readonly<Record<string, string>>)[];
  readonly auth?: Readonly<Record<string, string>>;
  readonly handshake?: "options";
  readonly timeoutMs?: number;
  readonly gate?: { readonly concurrency?: number; readonly perSecond?: number };
  readonly batch?: { readonly seconds?: number; readonly events?: number };
  readonly retry?: { readonly delaysSeconds: readonly number[] };
  readonly order?: object;
}

export interface TestTenant {
  readonly id: string;
  /** Where its things are, below `/admin/`. */
  readonly path: string;
  /** Sends a webhook, unlike any before, that is for these targets; answers what was accepted. */
  send(...targets: string[]): Promise<Accepted>;
  /** The event's delivery to a target, with its attempts, once it is in `state`. */
  delivery(event: string, target: string, state: string): Promise<Delivery>;
}

/** Each target gets a rule of its own name, for webhooks whose `to` holds that name. */
export async function prepareTenant(
  router: Pick<Router, "admin" | "send">,
  id: string,
  targets: Readonly<Record<string, TargetFields>>,
): Promise<TestTenant> {
  const { admin } = router;
  const path = `tenants/${id}`;
  await admin.put(path, {});
  await admin.put(`${path}/sources/open`, { verify: { scheme: "none" } });
  for (const [target, body] of Object.entries(targets)) {
    await admin.put(`${path}/targets/${target}`, { kind: "http", ...body });
    await admin.put(`${path}/rules/${target}`, {
      pattern: { data: { to: [target] } },
      priority: "critical",
      targets: [target],
    });
  }
  let sent = 0;
  return {
    id,
    path,
    async send(...to) {
      sent += 1;
      return accepted(router.send(`${id}/open`, { body: JSON.stringify({ to, sent }) }));
    },
    async delivery(event, target, state) {
      const listed = await eventually(
        () => admin.get(`${path}/deliveries?event=${event}&target=${target}`),
        ({ body }) => body.items[0]?.state === state,
      );
      const { body } = await admin.get(`${path}/deliveries/${listed.body.items[0].id}`);
      return body;
    },
  };
}
