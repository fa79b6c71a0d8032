/** The demo's orders: the saga of docs/sagas.md, once to its end, and once undone because the bank refuses. */
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "./admin.ts";
import { type Heard, type Said, startDemoReceiver } from "./demo-receiver.ts";
import { readOrderSaga } from "./order-saga.ts";

const SHOP_SECRET: string = randomUUID();
const DEADLINE_MS = 60_000;
/** The bank authorises up to this. */
const AMOUNT_MAX = 500;

interface Expected {
  readonly orderId: string;
  readonly what: string;
  readonly amount: number;
  readonly status: string;
  /** What the participants are asked, in this order. */
  readonly requests: readonly string[];
}

const FORWARD = ["finance/orders", "stock/reserve", "pay/authorise"];
const ORDERS: readonly Expected[] = [
  {
    ...{ orderId: "o-1", what: "a lamp for 49", amount: 49, status: "COMPLETED" },
    requests: [...FORWARD, "ship/orders/o-1", "mail/send"],
  },
  {
    ...{ orderId: "o-2", what: "a lamp for 4,900: too much for the card", amount: 4_900 },
    ...{ status: "COMPENSATED", requests: [...FORWARD, "stock/release", "finance/refusals"] },
  },
];

/** Prints what went where; answers whether both orders ended as they were to. */
export async function showOrders(admin: Admin, routerUrl: string): Promise<boolean> {
  const asked: string[] = [];
  let orderId = "";
  const send = (event: object): Promise<Response> => sendEvent(routerUrl, event);
  const receiver = await startDemoReceiver((heard) => {
    const path = heard.path.slice(1);
    asked.push(path);
    const said = answer(path, heard);
    console.log(`${verbOf(heard)}    ${describe(heard, path)}: ${said.status}`);
    if (path === "pay/authorise" && said.status === 200) {
      console.log("sent      the bank: the payment is captured");
      void send({ type: "payment.captured", orderId }).catch(console.error);
    }
    return said;
  });
  let isWell = true;
  try {
    await configure(admin, receiver.origin);
    for (const expected of ORDERS) {
      ({ orderId } = expected);
      asked.length = 0;
      console.log(`\nsent      order ${orderId}: ${expected.what}`);
      const { amount } = expected;
      await send({ type: "order.placed", orderId, amount, sku: "lamp", email: "ada@shop.example" });
      const status = await ended(admin, orderId);
      const isAsExpected = status === expected.status && `${asked}` === `${expected.requests}`;
      if (!isAsExpected) console.log(`          expected ${expected.status}: ${expected.requests}`);
      isWell &&= isAsExpected;
    }
  } finally {
    receiver.stop();
  }
  return isWell;
}

async function configure(admin: Admin, origin: string): Promise<void> {
  const shop = "tenants/shop";
  await admin.put(`${shop}/sources/orders`, {
    verify: {
      ...{ scheme: "hmac", header: "x-shop-signature", algorithm: "sha256", encoding: "hex" },
      secrets: [SHOP_SECRET],
    },
    typeFrom: { from: "body", pointer: "/type" },
  });
  await admin.put(`${shop}/sagas/order`, readOrderSaga(origin));
  await admin.put(`${shop}/targets/orders`, { kind: "saga", saga: "order" });
  await admin.put(`${shop}/rules/orders`, {
    pattern: { type: ["order.placed", "payment.captured"] },
    priority: "normal",
    targets: ["orders"],
  });
}

function sendEvent(routerUrl: string, event: object): Promise<Response> {
  const body = JSON.stringify(event);
  const signature = createHmac("sha256", SHOP_SECRET).update(body).digest("hex");
  return fetch(`${routerUrl}/in/shop/orders`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "x-shop-signature": signature },
  });
}

/** The participants: the bank refuses what is too much, all others do what they are asked. */
function answer(path: string, { body }: Heard): Said {
  if (path === "pay/authorise") {
    const { amount } = JSON.parse(body) as { amount: number };
    if (amount > AMOUNT_MAX) return { status: 402, body: { reason: "not covered" } };
  }
  return { status: 200, body: { id: `${path.replaceAll("/", "-")}-1` } };
}

/** An undo names the key of what it undoes. */
const verbOf = ({ header }: Heard): string =>
  header("signalbox-action-key") === "" ? "step  " : "undo  ";

const describe = ({ header, body }: Heard, path: string): string =>
  `${header("signalbox-step").padEnd(10)}${path} ${body}`.trimEnd();

/** Once it has ended, prints what the router knows of it. */
async function ended(admin: Admin, orderId: string): Promise<string> {
  const endMs = Date.now() + DEADLINE_MS;
  for (;;) {
    const { body } = await admin.get(`tenants/shop/saga-instances?correlationId=${orderId}`);
    const [found] = body.items;
    if (["COMPLETED", "COMPENSATED", "STUCK"].includes(found?.status) || Date.now() > endMs) {
      const instance = await admin.get(`tenants/shop/saga-instances/${found?.id}`);
      const { status = "not there", reason, steps = [] } = instance.body;
      console.log(`          ${status}${reason ? `, because of ${reason}` : ""}`);
      for (const { name, state, compensation } of steps) {
        console.log(`          ${name.padEnd(10)} ${state.padEnd(10)} undo: ${compensation}`);
      }
      return status;
    }
    await sleep(50);
  }
}
