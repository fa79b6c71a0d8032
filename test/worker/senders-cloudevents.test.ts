/** CloudEvents made by the SDK in every mode, signed by a generic HMAC, and read again by the SDK. */
import { createHmac } from "node:crypto";
import { CloudEvent, HTTP } from "cloudevents";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { damaged } from "../support/damaged.ts";
import { untilIdle } from "../support/idle.ts";
import { accepted, acceptedBatch } from "../support/ingest-answer.ts";
import { problemOf } from "../support/problem.ts";
import { type Received, type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";
import { isSignedWith, newTargetSecret, singleValues } from "./sdk-receivers.ts";

const SECRET = "a secret between producer and router";
const TARGET_SECRET = newTargetSecret();
const NO_MATCH = { status: 401, slug: "signature-invalid", reason: "no-match" };
const BATCH = { "content-type": "application/cloudevents-batch+json" };

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  const signed = { scheme: "hmac", header: "X-Signature", algorithm: "sha256", encoding: "hex" };
  const verify = { ...signed, secrets: [SECRET] };
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/shop", { verify });
  const target = { kind: "http", url: `${receiver.url}/sink`, secrets: [TARGET_SECRET] };
  await admin.put("tenants/acme/targets/sink", target);
  await admin.put("tenants/acme/rules/orders", {
    pattern: {
      type: [{ prefix: "com.example.order." }],
      data: { total: [{ numeric: [">", 10] }] },
    },
    priority: "critical",
    targets: ["sink"],
  });
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

/** An order with every kind of attribute; `id` makes it one of its own. */
const order = (id: string, total = 42) =>
  new CloudEvent({
    id,
    source: "https://shop.example.com/orders?region=eu",
    type: "com.example.order.placed",
    subject: `orders/${id}`,
    time: "2026-11-21T09:00:00.123Z",
    datacontenttype: "application/json; charset=utf-8",
    dataschema: "https://shop.example.com/order.json",
    partitionkey: "eu-7",
    data: { total, note: "Grüße" },
  });

/** Under the signature of `body`, sends it or, if there is one, a forgery. */
function send(headers: object, body: string, forgery?: Buffer): Promise<Response> {
  const signature = createHmac("sha256", SECRET).update(body).digest("hex");
  return router.send("acme/shop", {
    body: forgery ?? body,
    headers: { ...singleValues({ ...headers }), "x-signature": signature },
  });
}

async function deliveriesOf(eventId: string): Promise<Received[]> {
  await untilIdle(router);
  return receiver.received.filter(({ headers }) => headers["signalbox-event"] === eventId);
}

async function storedIds(): Promise<string[]> {
  await untilIdle(router);
  const { body } = await router.admin.get("tenants/acme/events?limit=1000");
  return body.items.map(({ id }: { id: string }) => id);
}

const readBySdk = ({ headers, body }: Received) =>
  HTTP.toEvent({ headers: { ...headers }, body: body.toString() });

describe.each(["structured", "binary"] as const)("a CloudEvent in %s mode", (mode) => {
  it("is delivered byte by byte and is the same event to the SDK behind", async () => {
    const event = order(`${mode}-1`);
    const { headers, body } = HTTP[mode](event);
    const { id, deliveries } = await accepted(send(headers, String(body)));
    expect(deliveries).toBe(1);

    const [delivery] = await deliveriesOf(id);
    if (delivery === undefined) throw new Error("nothing was delivered");
    expect(delivery.body.toString()).toBe(body);
    expect(delivery.headers["content-type"]).toBe(headers["content-type"]);
    expect(readBySdk(delivery)).toEqual(event);
    expect(delivery.headers).toMatchObject({
      "ce-id": event.id,
      "ce-source": event.source,
      "ce-type": event.type,
      "ce-subject": event.subject,
      "ce-time": event.time,
      "ce-partitionkey": "eu-7",
    });
    expect(isSignedWith(TARGET_SECRET, delivery)).toBe(true);
  });

  it("sent again keeps its id and is not delivered again", async () => {
    const { headers, body } = HTTP[mode](order(`${mode}-2`));
    const first = await accepted(send(headers, String(body)));
    const again = await accepted(send(headers, String(body)));
    expect(again.id).toBe(first.id);
    expect(await deliveriesOf(first.id)).toHaveLength(1);
  });

  it("is refused with one byte changed, and nothing of it is kept", async () => {
    const before = await storedIds();
    const { headers, body } = HTTP[mode](order(`${mode}-3`));
    const forgery = damaged(String(body), 20);
    const answer = await problemOf(send(headers, String(body), forgery));
    expect(answer).toMatchObject(NO_MATCH);
    expect(await storedIds()).toEqual(before);
  });

  it("is refused when it breaks the specification, with the place of each fault", async () => {
    const before = await storedIds();
    const broken = new CloudEvent({ ...order(`${mode}-4`).toJSON(), source: "", type: "" }, false);
    const { headers, body } = HTTP[mode](broken);
    const { status, slug, errors } = await problemOf(send(headers, String(body)));
    expect({ status, slug }).toEqual({ status: 422, slug: "cloudevent-invalid" });
    expect(errors?.map(({ pointer }) => pointer).sort()).toEqual(["/source", "/type"]);
    expect(await storedIds()).toEqual(before);
  });
});

describe("the same CloudEvent in another mode", () => {
  it("is the same event: the sender's source and id are its identity", async () => {
    const event = order("twice");
    const sent = [HTTP.structured(event), HTTP.binary(event)];
    const [first, second] = await Promise.all(
      sent.map(({ headers, body }) => accepted(send(headers, String(body)))),
    );
    expect(second?.id).toBe(first?.id);
    expect(await deliveriesOf(first?.id ?? "")).toHaveLength(1);
  });
});

describe("a batch of CloudEvents", () => {
  /** Each element in a writing of its own, one with a number that no double holds. */
  const texts = (name: string): string[] => [
    JSON.stringify(order(`${name}-0`), null, 2),
    JSON.stringify(order(`${name}-1`, 1)),
    JSON.stringify(order(`${name}-2`)).replace('"total":42', '"total" : 9007199254740993.0'),
    JSON.stringify(order(`${name}-3`), null, "\t"),
  ];

  it("is answered in its order, and each element is delivered in its own original text", async () => {
    const elements = texts("batch");
    const body = `[ ${elements.join(" ,\n\n ")}\t]`;
    const answers = await acceptedBatch(send(BATCH, body));
    expect(answers.map(({ deliveries }) => deliveries)).toEqual([1, 0, 1, 1]);
    for (const [index, { id, deliveries }] of answers.entries()) {
      const received = await deliveriesOf(id);
      expect(received).toHaveLength(deliveries);
      for (const delivery of received) {
        expect(delivery.body.toString()).toBe(elements[index]);
        expect(readBySdk(delivery)).toMatchObject({ id: `batch-${index}`, partitionkey: "eu-7" });
        expect(delivery.headers["ce-id"]).toBe(`batch-${index}`);
        expect(isSignedWith(TARGET_SECRET, delivery)).toBe(true);
      }
    }
    const again = await acceptedBatch(send(BATCH, `[${elements.toReversed().join(",")}]`));
    expect(again.map(({ id }) => id)).toEqual(answers.map(({ id }) => id).toReversed());
    await untilIdle(router);
    for (const { id, deliveries } of answers) {
      expect(await deliveriesOf(id)).toHaveLength(deliveries);
    }
  });

  it("with the same event twice delivers it once, and the copy is recorded with its reason", async () => {
    const text = JSON.stringify(order("copied"));
    const [first, copy] = await acceptedBatch(send(BATCH, `[${text},${text}]`));
    expect(copy?.id).toBe(first?.id);
    expect(await deliveriesOf(first?.id ?? "")).toHaveLength(1);
    const { body } = await router.admin.get(`tenants/acme/events/${first?.id}`);
    const [owner, ...others] = body.receipts;
    expect(owner).toMatchObject({ duplicate: false, reason: null });
    const reason = `duplicate of ${owner.id}`;
    expect(others).toMatchObject([{ duplicate: true, reason }]);
    const told = [owner.id, others[0].id].toSorted();
    expect(told).toEqual([first?.receipt, copy?.receipt].toSorted());
  });

  it("is refused with one byte changed, and no element of it is kept", async () => {
    const before = await storedIds();
    const body = `[${texts("forged").join(",")}]`;
    const answer = await problemOf(send(BATCH, body, damaged(body, 60)));
    expect(answer).toMatchObject(NO_MATCH);
    expect(await storedIds()).toEqual(before);
  });

  it("is refused whole when one element is no CloudEvent, which is named", async () => {
    const before = await storedIds();
    const [first, , third] = texts("spoiled");
    const { status, slug, errors } = await problemOf(
      send(BATCH, `[${first},{"specversion":"1.0","id":"x","source":"/x"},${third}]`),
    );
    expect({ status, slug }).toEqual({ status: 422, slug: "cloudevent-invalid" });
    expect(errors?.map(({ pointer }) => pointer)).toEqual(["/1/type"]);
    expect(await storedIds()).toEqual(before);
  });
});
