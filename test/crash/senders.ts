/**
 * Senders that keep to a schedule whatever the router does, and try again as webhook senders do: the same
 * bytes, the same idempotency key, a growing pause, `Retry-After` honoured, until they hear 202.
 */
import { createHash, createHmac } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook as StandardWebhook } from "standardwebhooks";
import type { Webhook } from "./plan.ts";
import type { SentEvent } from "./verdict.ts";

export const SECRETS = {
  github: "the secret of the crash run",
  standard: `whsec_${Buffer.alloc(32, "crash").toString("base64")}`,
} as const;

const ANSWER_MS_MAX = 5_000;
const TRIES_MAX = 60;
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 5_000;

export interface Tally {
  requests: number;
  accepted: number;
  /** Cut off, refused by the system, or silent for too long. */
  unanswered: number;
  /** 5xx and 429. */
  putOff: number;
}

export interface Senders {
  readonly tally: Tally;
  /** Sends everything; resolves when each webhook is accepted or given up. */
  send(webhooks: readonly Webhook[], startMs: number): Promise<readonly SentEvent[]>;
  /** Gives up what is not accepted yet. */
  stop(): void;
}

/** `origin` is asked before each request, since the router may have moved. */
export function createSenders(origin: () => string): Senders {
  const agent = new Agent({ keepAlive: true });
  const tally: Tally = { requests: 0, accepted: 0, unanswered: 0, putOff: 0 };

  let isStopped = false;

  async function sendOne(webhook: Webhook, headers: Headers, event: SentEvent): Promise<void> {
    for (let tries = 1; tries <= TRIES_MAX && !isStopped; tries += 1) {
      event.requests += 1;
      tally.requests += 1;
      const url = `${origin()}/in/${webhook.tenant}/${webhook.source}`;
      const answer = await post(url, headers, webhook.body, agent);
      if (answer?.status === 202) {
        tally.accepted += 1;
        const { id, receipt } = JSON.parse(answer.text) as { id: string; receipt: string };
        event.ids.add(id);
        event.receipts.push(receipt);
        return;
      }
      if (answer !== null && answer.status < 500 && answer.status !== 429) {
        event.refusals.push(`${answer.status} ${answer.text}`);
        return;
      }
      tally[answer === null ? "unanswered" : "putOff"] += 1;
      const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** (tries - 1));
      await sleep(Math.max(pauseMs * (0.5 + Math.random() / 2), answer?.retryAfterMs ?? 0));
    }
  }

  async function sendWithCopy(webhook: Webhook, event: SentEvent): Promise<void> {
    const headers = signed(webhook);
    const copy = async (afterMs: number): Promise<void> => {
      await sleep(afterMs);
      await sendOne(webhook, headers, event);
    };
    await Promise.all([
      sendOne(webhook, headers, event),
      webhook.copyAfterMs === null ? null : copy(webhook.copyAfterMs),
    ]);
  }

  return {
    tally,
    async send(webhooks, startMs) {
      const events: SentEvent[] = [];
      const sending: Promise<void>[] = [];
      for (const webhook of webhooks) {
        await sleep(Math.max(0, startMs + webhook.atMs - Date.now()));
        if (isStopped) break;
        const event: SentEvent = {
          index: webhook.index,
          tenant: webhook.tenant,
          bodyHash: hashOf(webhook.body),
          ids: new Set(),
          receipts: [],
          refusals: [],
          requests: 0,
        };
        events.push(event);
        sending.push(sendWithCopy(webhook, event));
      }
      await Promise.all(sending);
      return events;
    },
    stop() {
      isStopped = true;
      agent.destroy();
    },
  };
}

export const hashOf = (body: string | Uint8Array): string =>
  createHash("sha256").update(body).digest("base64url");

type Headers = Readonly<Record<string, string>>;

function signed({ source, key, body }: Webhook): Headers {
  const common = { "content-type": "application/json" };
  if (source === "github") {
    const digest = createHmac("sha256", SECRETS.github).update(body).digest("hex");
    return {
      ...common,
      "x-github-event": "push",
      "x-github-delivery": key,
      "x-hub-signature-256": `sha256=${digest}`,
    };
  }
  const now = new Date();
  return {
    ...common,
    "webhook-id": key,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": new StandardWebhook(SECRETS.standard).sign(key, now, body),
  };
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly text: string;
}

/**
 * Null when no whole answer came. A router killed while it answers causes neither an end nor an error of
 * the answer, only its close: whatever comes first is the outcome.
 */
function post(url: string, headers: Headers, body: string, agent: Agent): Promise<Answer | null> {
  return new Promise((resolve) => {
    const sending = request(
      url,
      {
        ...{ method: "POST", agent, timeout: ANSWER_MS_MAX },
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            retryAfterMs: 1_000 * Number(response.headers["retry-after"] ?? 0),
            text: Buffer.concat(chunks).toString(),
          });
        });
        response.on("error", () => resolve(null));
        response.on("close", () => resolve(null));
      },
    );
    sending.on("timeout", () => void sending.destroy());
    sending.on("error", () => resolve(null));
    sending.on("close", () => resolve(null));
    sending.end(body);
  });
}
