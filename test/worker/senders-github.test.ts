/** Every example webhook of GitHub, signed by its own library, to receivers behind its own middleware. */
import { sign } from "@octokit/webhooks-methods";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { damaged } from "../support/damaged.ts";
import { untilIdle } from "../support/idle.ts";
import { inParallel } from "../support/in-parallel.ts";
import { type Accepted, accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Received, type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import {
  DELIVERIES,
  deliveryGuid,
  type GitHubWebhook,
  RULES,
  rulesFor,
  TARGETS,
  WEBHOOKS,
} from "./github-webhooks.ts";
import { githubApp, isSignedWith, newTargetSecret } from "./sdk-receivers.ts";

const SECRET = "It's a Secret to Everybody";
const SENDS_AT_ONCE = 16;

let router: Router;
let receiver: Receiver;
let answers: readonly Accepted[];
const app = githubApp(SECRET);

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver(app.answer)]);
  const { admin } = router;
  await admin.put("tenants/acme", {});
  const verify = { scheme: "github", secrets: [SECRET] };
  await admin.put("tenants/acme/sources/github", { verify });
  for (const [id, secrets] of Object.entries(TARGETS)) {
    const url = `${receiver.url}/${id}`;
    await admin.put(`tenants/acme/targets/${id}`, { kind: "http", url, secrets });
  }
  for (const { id, wants: _, ...rule } of RULES) await admin.put(`tenants/acme/rules/${id}`, rule);
  answers = await sendAll(WEBHOOKS);
  await untilIdle(router);
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

/** Sends it as GitHub does; another `body` goes under the signature of the webhook's own. */
async function send(webhook: GitHubWebhook, body: string | Buffer = webhook.body) {
  return router.send("acme/github", {
    body,
    headers: {
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-delivery": webhook.delivery,
      "x-github-event": webhook.name,
      "x-hub-signature-256": await sign(SECRET, webhook.body),
    },
  });
}

const sendAll = (webhooks: readonly GitHubWebhook[]): Promise<Accepted[]> =>
  inParallel(webhooks, SENDS_AT_ONCE, (webhook) => accepted(send(webhook)));

const lineOf = ({ headers, path }: Received): string =>
  `${headers["x-github-delivery"]} ${headers["signalbox-rule"]} ${path}`;

const withoutRule = (line: string): string => line.replace(/^(\S+) \S+ (\S+)$/, "$2 $1");

async function storedEvents() {
  await untilIdle(router);
  const { body } = await router.admin.get("tenants/acme/events?limit=1000");
  return body.items;
}

describe("each of GitHub's 329 example webhooks", () => {
  it("reaches exactly the targets its rules name, each once, and no other", () => {
    expect(WEBHOOKS).toHaveLength(329);
    expect(receiver.received.map(lineOf).sort()).toEqual(DELIVERIES);
  });

  it("is answered with an id of its own and the deliveries it will have", () => {
    expect(new Set(answers.map(({ id }) => id)).size).toBe(WEBHOOKS.length);
    const told = answers.map(({ deliveries, priorities }) => ({ deliveries, priorities }));
    expect(told).toEqual(
      WEBHOOKS.map(rulesFor).map((rules) => ({
        deliveries: rules.flatMap(({ targets }) => targets).length,
        priorities: ["critical", "normal", "bulk"].filter((priority) =>
          rules.some((rule) => rule.priority === priority),
        ),
      })),
    );
  });

  it("that no rule wants is recorded as unmatched", async () => {
    const { body } = await router.admin.get("tenants/acme/events?limit=1000&outcome=unmatched");
    const unwanted = answers.filter(({ deliveries }) => deliveries === 0).map(({ id }) => id);
    expect(unwanted.length).toBeGreaterThan(0);
    expect(body.items.map(({ id }: Accepted) => id).sort()).toEqual(unwanted.sort());
  });

  it("comes with the very bytes that GitHub sent", () => {
    const sent = new Map(WEBHOOKS.map(({ delivery, body }) => [delivery, body]));
    for (const { headers, body } of receiver.received) {
      const original = sent.get(String(headers["x-github-delivery"])) ?? "";
      expect(body.equals(Buffer.from(original))).toBe(true);
    }
  });

  it("passes @octokit/webhooks' own middleware by GitHub's signature", () => {
    expect(app.handled.toSorted()).toEqual(DELIVERIES.map(withoutRule).sort());
  });

  it("passes standardwebhooks with each live secret of its target, and with no other", () => {
    const stranger = newTargetSecret();
    for (const delivery of receiver.received) {
      const secrets = TARGETS[delivery.path.slice(1)] ?? [];
      expect(secrets.map((secret) => isSignedWith(secret, delivery))).not.toContain(false);
      expect(isSignedWith(stranger, delivery)).toBe(false);
    }
    const inRotation = receiver.received.filter(({ path }) => path === "/builds");
    expect(inRotation.length).toBeGreaterThan(0);
    for (const { headers } of inRotation) {
      expect(headers["webhook-signature"]).toMatch(/^v1,\S+ v1,\S+$/);
    }
  });

  it("sent again has the same id, is recorded as a duplicate, and is not delivered again", async () => {
    const again = await sendAll(WEBHOOKS);
    expect(again.map(({ id }) => id)).toEqual(answers.map(({ id }) => id));
    await untilIdle(router);
    expect(receiver.received).toHaveLength(DELIVERIES.length);
    await inParallel(again, SENDS_AT_ONCE, async ({ id, receipt }) => {
      const { body } = await router.admin.get(`tenants/acme/events/${id}`);
      const [first] = body.receipts;
      expect(first).toMatchObject({ duplicate: false, reason: null });
      const reason = `duplicate of ${first.id}`;
      expect(body.receipts.slice(1)).toMatchObject([{ id: receipt, duplicate: true, reason }]);
    });
  });

  it("with one byte changed is refused with 401 no-match, and nothing of it is kept", async () => {
    const before = await storedEvents();
    expect(before).toHaveLength(WEBHOOKS.length);
    const refusals = await inParallel([...WEBHOOKS.entries()], SENDS_AT_ONCE, ([index, webhook]) =>
      // A new GUID, which GitHub does not sign: what is kept by mistake shows as an event of its own.
      problemOf(
        send(
          { ...webhook, delivery: deliveryGuid(1_000 + index) },
          damaged(webhook.body, index * 7_919),
        ),
      ),
    );
    const refusal = { status: 401, slug: "signature-invalid", reason: "no-match" };
    expect(refusals).toMatchObject(WEBHOOKS.map(() => refusal));
    expect(await storedEvents()).toEqual(before);
    expect(receiver.received).toHaveLength(DELIVERIES.length);
  });
});

describe("one GitHub webhook", () => {
  it("sent eight times at the same moment has one id and is delivered once per rule", async () => {
    const push = WEBHOOKS.find(({ name }) => name === "push");
    if (push === undefined) throw new Error("no push among the examples");
    const before = receiver.received.length;
    const webhook = { ...push, delivery: deliveryGuid(2_000) };
    const copies = await Promise.all(Array.from({ length: 8 }, () => accepted(send(webhook))));
    expect(new Set(copies.map(({ id }) => id)).size).toBe(1);
    expect(new Set(copies.map(({ receipt }) => receipt)).size).toBe(8);
    await untilIdle(router);
    expect(receiver.received.slice(before).map(lineOf).sort()).toEqual([
      `${webhook.delivery} deploys /audit`,
      `${webhook.delivery} deploys /builds`,
      `${webhook.delivery} pushes-again /audit`,
    ]);
  });
});
