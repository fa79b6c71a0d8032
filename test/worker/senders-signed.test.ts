/** Senders that sign: what they sent is delivered as it was, and what they did not send is refused. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { damaged } from "../support/damaged.ts";
import { untilIdle } from "../support/idle.ts";
import { accepted } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Received, type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { isSignedWith, newTargetSecret } from "./sdk-receivers.ts";
import { SENDERS, type Sender, slackHeaders } from "./sdk-senders.ts";

const TARGET_SECRET = newTargetSecret();
/** Beyond the five minutes that the senders advise. */
const TOO_FAR_MS = 400_000;

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  await admin.put("tenants/acme", {});
  for (const { name, scheme, secret, type } of SENDERS) {
    const verify = { scheme, secrets: [secret] };
    await admin.put(`tenants/acme/sources/${name}`, { verify });
    const target = { kind: "http", url: `${receiver.url}/${name}`, secrets: [TARGET_SECRET] };
    await admin.put(`tenants/acme/targets/${name}`, target);
    const pattern = { source: [name], type: [type] };
    await admin.put(`tenants/acme/rules/${name}`, { pattern, priority: "normal", targets: [name] });
  }
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

const now = (): Date => new Date();
const send = (source: string, webhook: RequestInit): Promise<Response> =>
  router.send(`acme/${source}`, webhook);

async function deliveriesTo(source: string): Promise<Received[]> {
  await untilIdle(router);
  return receiver.received.filter(({ path }) => path === `/${source}`);
}

async function storedOf(source: string): Promise<string[]> {
  await untilIdle(router);
  const { body } = await router.admin.get(`tenants/acme/events?source=${source}`);
  return body.items.map(({ id }: { id: string }) => id);
}

async function expectRefused(sender: Sender, webhook: RequestInit, reason: string) {
  const before = await storedOf(sender.name);
  const problem = await problemOf(send(sender.name, webhook));
  expect(problem).toMatchObject({ status: 401, slug: "signature-invalid", reason });
  expect(await storedOf(sender.name)).toEqual(before);
}

const named = (senders: readonly Sender[]) =>
  senders.map((sender) => [sender.name, sender] as const);

describe.each(named(SENDERS))("%s", (name, sender) => {
  it("is delivered byte by byte, once also when it is sent again, and its SDK accepts it", async () => {
    const webhook = await sender.sign(1, now());
    const { id, receipt, deliveries } = await accepted(send(name, webhook));
    expect(deliveries).toBe(1);
    await untilIdle(router);
    const later = await sender.sign(1, new Date(Date.now() + 5_000));
    const again = await accepted(send(name, later));
    expect(again.id).toBe(id);

    const [delivery, ...rest] = await deliveriesTo(name);
    if (delivery === undefined) throw new Error("nothing was delivered");
    expect(rest).toEqual([]);
    expect(delivery.body.toString()).toBe(webhook.body);
    expect(delivery.headers).toMatchObject({ "signalbox-event": id, "ce-type": sender.type });
    expect(isSignedWith(TARGET_SECRET, delivery)).toBe(true);
    expect(await sender.accepts(delivery)).toBe(sender.signatureStays);
    const { body } = await router.admin.get(`tenants/acme/events/${id}`);
    const copy = { id: again.receipt, duplicate: true, reason: `duplicate of ${receipt}` };
    expect(body.receipts.slice(1)).toMatchObject([copy]);
  });

  it("is refused with one byte changed", async () => {
    const { headers, body } = await sender.sign(2, now());
    const forged = { headers, body: damaged(body, Math.floor(body.length / 2)) };
    await expectRefused(sender, forged, "no-match");
  });

  it("is refused without a signature", async () => {
    const { body, headers } = await sender.sign(3, now());
    const unsigned = Object.entries(headers).filter(([header]) => !/signature|hmac/.test(header));
    const webhook = { body, headers: Object.fromEntries(unsigned) };
    await expectRefused(sender, webhook, "missing-header");
  });
});

const timed = SENDERS.filter(({ signsTime }) => signsTime);

describe.each(named(timed))("%s, which signs the time,", (_, sender) => {
  it("is refused when it was signed too long ago", async () => {
    const webhook = await sender.sign(4, new Date(Date.now() - TOO_FAR_MS));
    await expectRefused(sender, webhook, "timestamp-old");
  });

  it("is refused when its time is yet to come", async () => {
    const webhook = await sender.sign(5, new Date(Date.now() + TOO_FAR_MS));
    await expectRefused(sender, webhook, "timestamp-new");
  });
});

describe("Slack's question whether this is the right address", () => {
  const challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
  const body = JSON.stringify({ token: "none", challenge, type: "url_verification" });

  it("is answered with the challenge and is no event", async () => {
    const before = await storedOf("slack");
    const answer = await send("slack", { body, headers: slackHeaders(body, now()) });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(await answer.text()).toBe(challenge);
    expect(await storedOf("slack")).toEqual(before);
  });

  it("is refused without a signature, with a stale one, and with one of another body", async () => {
    const stale = slackHeaders(body, new Date(Date.now() - TOO_FAR_MS));
    const other = slackHeaders(`${body} `, now());
    const problems = await Promise.all(
      [{}, stale, other].map((headers) => problemOf(send("slack", { body, headers }))),
    );
    expect(problems).toMatchObject([
      { status: 401, reason: "missing-header" },
      { status: 401, reason: "timestamp-old" },
      { status: 401, reason: "no-match" },
    ]);
  });
});
