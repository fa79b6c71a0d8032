/** Receivers that trust nothing: each delivery is checked by a library that knows no Signalbox. */
import { randomBytes } from "node:crypto";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";
import { Webhook } from "standardwebhooks";
import type { Answer, Received } from "../support/receiver.ts";

/** A target's secret, as Standard Webhooks writes it. */
export const newTargetSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** Whether `standardwebhooks` finds our signature with this secret. */
export function isSignedWith(secret: string, { body, headers }: Received): boolean {
  const webhook = new Webhook(secret);
  try {
    webhook.verify(body, singleValues(headers), { jsonParse: false });
    return true;
  } catch {
    return false;
  }
}

/** A request's headers, as libraries that know nothing of repeated ones want them. */
export function singleValues(headers: Received["headers"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? ""].flat().join(", ")]),
  );
}

export interface GitHubApp {
  readonly answer: Answer;
  /** Path and `X-GitHub-Delivery` of what the middleware passed to the app, in order. */
  readonly handled: string[];
}

/** An app behind GitHub's own middleware, which answers 200 only to what GitHub signed. */
export function githubApp(secret: string): GitHubApp {
  const handled: string[] = [];
  const answer: Answer = ({ path, headers, body }, response) => {
    const webhooks = new Webhooks({ secret, log: { ...console, debug() {}, error() {} } });
    webhooks.onAny(({ id }) => void handled.push(`${path} ${id}`));
    const middleware = createNodeMiddleware(webhooks, { path });
    void middleware({ method: "POST", url: path, headers, body: body.toString() }, response);
  };
  return { answer, handled };
}
