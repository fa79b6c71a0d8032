/** Numbers that no double holds: matched digit by digit, and delivered as they were written. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { untilIdle } from "../support/idle.ts";
import { accepted } from "../support/ingest-answer.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { type Router, startRouter } from "../support/router.ts";

/** 2^53 + 1: the first integer that a double rounds, to its neighbour …992. */
const ODD = "9007199254740993";
const EVEN = "9007199254740992";

let router: Router;
let receiver: Receiver;

beforeAll(async () => {
  [router, receiver] = await Promise.all([startRouter(), startReceiver()]);
  const { admin } = router;
  await admin.put("tenants/acme", {});
  await admin.put("tenants/acme/sources/open", { verify: { scheme: "none" } });
  await admin.put("tenants/acme/targets/sink", { kind: "http", url: `${receiver.url}/sink` });
  const rule = `{"pattern":{"data":{"id":[${ODD}]}},"priority":"critical","targets":["sink"]}`;
  await admin.put("tenants/acme/rules/odd", rule);
});

afterAll(async () => {
  await router?.stop();
  await receiver?.stop();
});

async function deliveredOf(body: string): Promise<string[]> {
  const { id } = await accepted(router.send("acme/open", { body }));
  await untilIdle(router);
  return receiver.received
    .filter(({ headers }) => headers["signalbox-event"] === id)
    .map((delivery) => delivery.body.toString());
}

/** The text itself, since `JSON.parse` would round it. */
async function adminText(path: string): Promise<string> {
  const headers = { authorization: `Bearer ${router.vars["ADMIN_TOKEN"]}` };
  return (await fetch(`${router.url}/admin/tenants/acme/${path}`, { headers })).text();
}

describe(`a rule on ${ODD}`, () => {
  it("matches that number, and its bytes are delivered as they were written", async () => {
    const body = `{ "id" : ${ODD}, "ratio": 0.1000000000000000055511151231257827, "n": 1.50e+2 }`;
    expect(await deliveredOf(body)).toEqual([body]);
  });

  it("matches neither its neighbours, though one is the same double, nor its digits as a text", async () => {
    const others = [EVEN, "9007199254740994", `${ODD}.5`, `-${ODD}`, `"${ODD}"`];
    const delivered = await Promise.all(others.map((id) => deliveredOf(`{"id":${id}}`)));
    expect(delivered).toEqual(others.map(() => []));
  });

  it("is read back, and its events are shown, with every digit", async () => {
    expect(await adminText("rules/odd")).toMatch(new RegExp(`\\[\\s*${ODD}\\s*\\]`));
    const body = `{"id":${ODD},"again":true}`;
    const { id } = await accepted(router.send("acme/open", { body }));
    await untilIdle(router);
    expect(await adminText(`events/${id}`)).toMatch(new RegExp(`"id":\\s*${ODD}\\b`));
    expect(await adminText(`events/${id}/body`)).toBe(body);
  });
});
