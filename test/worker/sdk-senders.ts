/** Senders that sign as the real ones do: by the sender's own SDK, where it has a signer. */
import { createHmac, timingSafeEqual } from "node:crypto";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, LogSeverity, shopifyApi } from "@shopify/shopify-api";
import { getHmac } from "@shopify/shopify-api/test-helpers";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import type { Received } from "../support/receiver.ts";
import { singleValues } from "./sdk-receivers.ts";

export interface SignedWebhook {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Sender {
  /** Also the name of its source, its rule and its target. */
  readonly name: string;
  readonly scheme: string;
  readonly secret: string;
  /** The event type that its webhooks must get. */
  readonly type: string;
  /** Whether it signs the time, so that old requests can be refused. */
  readonly signsTime: boolean;
  /** Whether its signature goes on to the target; under Standard Webhooks' names ours stands there. */
  readonly signatureStays: boolean;
  /** The `n`th webhook, as it is sent at that time; sent later it is the same event. */
  sign(n: number, at: Date): Promise<SignedWebhook>;
  /** What its SDK says of the delivered request. */
  accepts(delivery: Received): Promise<boolean>;
}

const notThrown = async (check: () => unknown): Promise<boolean> => {
  try {
    await check();
    return true;
  } catch {
    return false;
  }
};

const JSON_TYPE = { "content-type": "application/json" };
const unixSeconds = (at: Date): number => Math.floor(at.getTime() / 1_000);

const stripeSdk = new Stripe("sk_test_none");
const stripe: Sender = {
  name: "stripe",
  scheme: "stripe",
  secret: "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
  type: "charge.succeeded",
  signsTime: true,
  signatureStays: true,
  async sign(n, at) {
    const charge = { id: `ch_${n}`, object: "charge", amount: 2_000, currency: "eur" };
    const event = {
      ...{ id: `evt_${n}`, object: "event", api_version: "2026-09-30", livemode: false },
      ...{ type: this.type, created: 1_794_000_000, data: { object: charge } },
      // Differs from try to try, so that only the id says that it is the same event.
      pending_webhooks: unixSeconds(at) % 7,
    };
    const body = JSON.stringify(event, null, 2);
    const signature = await stripeSdk.webhooks.generateTestHeaderStringAsync({
      payload: body,
      secret: this.secret,
      timestamp: unixSeconds(at),
    });
    return { body, headers: { ...JSON_TYPE, "stripe-signature": signature } };
  },
  accepts({ headers, body }) {
    const signature = headers["stripe-signature"] ?? "";
    return notThrown(() =>
      stripeSdk.webhooks.constructEventAsync(body.toString(), signature, this.secret),
    );
  },
};

const svix: Sender = {
  name: "svix",
  scheme: "standard-webhooks",
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  type: "invoice.paid",
  signsTime: true,
  signatureStays: true,
  async sign(n, at) {
    const id = `msg_2Lh9KRb0pzN4LePd3XiA4v12${n}`;
    const body = `{"type":"${this.type}","data":{"id":"inv_${n}","note":"Grüße 🚀"}}`;
    const headers = {
      ...JSON_TYPE,
      "svix-id": id,
      "svix-timestamp": String(unixSeconds(at)),
      "svix-signature": new SvixWebhook(this.secret).sign(id, at, body),
    };
    return { body, headers };
  },
  accepts({ headers, body }) {
    return notThrown(() => new SvixWebhook(this.secret).verify(body, singleValues(headers)));
  },
};

const standard: Sender = {
  name: "standardwebhooks",
  scheme: "standard-webhooks",
  secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  type: "contact.created",
  signsTime: true,
  signatureStays: false,
  async sign(n, at) {
    const id = `msg_${n}`;
    const body = `{ "type": "${this.type}", "data": { "id": ${n} } }\n`;
    const headers = {
      ...JSON_TYPE,
      "webhook-id": id,
      "webhook-timestamp": String(unixSeconds(at)),
      "webhook-signature": new StandardWebhook(this.secret).sign(id, at, body),
    };
    return { body, headers };
  },
  accepts({ headers, body }) {
    const webhook = new StandardWebhook(this.secret);
    return notThrown(() => webhook.verify(body, singleValues(headers)));
  },
};

const shopify: Sender = {
  name: "shopify",
  scheme: "shopify",
  secret: "hush",
  type: "orders/create",
  signsTime: false,
  signatureStays: true,
  async sign(n) {
    // Shopify's own example: an id beyond 2^53.
    const body = `{"id":820982911946154508,"email":"jon@example.com","number":${n}}`;
    const headers = {
      ...JSON_TYPE,
      "x-shopify-topic": this.type,
      "x-shopify-webhook-id": `b54557e4-bdd9-4b37-8a5f-bf7d70bcd${String(n).padStart(3, "0")}`,
      "x-shopify-shop-domain": "test-shop.myshopify.com",
      "x-shopify-api-version": ApiVersion.October26,
      "x-shopify-hmac-sha256": getHmac(body, this.secret),
    };
    return { body, headers };
  },
  async accepts({ headers, body }) {
    const rawRequest = { method: "POST", url: "/", headers };
    const sdk = shopifyApi({
      ...{ apiSecretKey: this.secret, apiKey: "key", apiVersion: ApiVersion.October26 },
      ...{ hostName: "localhost", isEmbeddedApp: false, logger: { level: LogSeverity.Error } },
    });
    return (await sdk.webhooks.validate({ rawBody: body.toString(), rawRequest })).valid;
  },
};

export const SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";

/** api.slack.com/authentication/verifying-requests-from-slack; Slack's SDK verifies only. */
const slackSignature = (timestamp: string, body: string): string =>
  `v0=${createHmac("sha256", SLACK_SECRET).update(`v0:${timestamp}:${body}`).digest("hex")}`;

export function slackHeaders(body: string, at: Date): Record<string, string> {
  const timestamp = String(unixSeconds(at));
  return {
    ...JSON_TYPE,
    "x-slack-request-timestamp": timestamp,
    "x-slack-signature": slackSignature(timestamp, body),
  };
}

const slack: Sender = {
  name: "slack",
  scheme: "slack",
  secret: SLACK_SECRET,
  type: "app_mention",
  signsTime: true,
  signatureStays: true,
  async sign(n, at) {
    const event = { type: this.type, user: "U061F7AUR", text: "<@U0LAN0Z89> is it 5 o'clock?" };
    const callback = { type: "event_callback", team_id: "T123ABC456", event_id: `Ev${n}`, event };
    const body = JSON.stringify(callback);
    return { body, headers: slackHeaders(body, at) };
  },
  async accepts({ headers, body }) {
    const timestamp = String(headers["x-slack-request-timestamp"]);
    const given = Buffer.from(String(headers["x-slack-signature"]));
    const expected = Buffer.from(slackSignature(timestamp, body.toString()));
    return given.length === expected.length && timingSafeEqual(given, expected);
  },
};

export const SENDERS: readonly Sender[] = [stripe, svix, standard, shopify, slack];
