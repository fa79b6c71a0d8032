/** The demo's webhooks: signed as GitHub does, matched by rules, delivered, repeated, refused and retried. */
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import type { Admin } from "./admin.ts";
import { type Heard, type Said, startDemoReceiver } from "./demo-receiver.ts";

const GITHUB_SECRET: string = randomUUID();
const TARGET_SECRET = `whsec_${Buffer.from(randomUUID() + randomUUID())
  .subarray(0, 32)
  .toString("base64")}`;
const DELIVERIES_EXPECTED = 5;
const DEADLINE_MS = 60_000;

interface Arrival {
  readonly target: string;
  readonly event: string;
  readonly genuine: boolean;
}

/** Prints what went where; answers whether every delivery came as it was expected. */
export async function showWebhooks(admin: Admin, routerUrl: string): Promise<boolean> {
  const arrivals: Arrival[] = [];
  const receiver = await startDemoReceiver((heard) => receive(heard, arrivals));
  try {
    await configure(admin, receiver.origin);
    await sendAll(routerUrl);
    const endMs = Date.now() + DEADLINE_MS;
    while (arrivals.length < DELIVERIES_EXPECTED && Date.now() < endMs) await sleep(50);
    await report(admin, arrivals);
  } finally {
    receiver.stop();
  }
  return arrivals.length === DELIVERIES_EXPECTED && arrivals.every(({ genuine }) => genuine);
}

async function configure(admin: Admin, origin: string): Promise<void> {
  await admin.put("tenants/shop/sources/github", {
    verify: { scheme: "github", secrets: [GITHUB_SECRET] },
  });
  for (const target of ["pager", "builds", "archive"]) {
    await admin.put(`tenants/shop/targets/${target}`, {
      kind: "http",
      url: `${origin}/${target}`,
      secrets: [TARGET_SECRET],
      retry: { delaysSeconds: [1, 2, 4] },
    });
  }
  await admin.put("tenants/shop/rules/main-is-broken", {
    pattern: { type: ["check_run"], data: { check_run: { conclusion: ["failure"] } } },
    priority: "critical",
    targets: ["pager"],
  });
  await admin.put("tenants/shop/rules/pushes", {
    pattern: { type: ["push"], data: { ref: [{ prefix: "refs/heads/" }] } },
    priority: "normal",
    targets: ["builds"],
  });
  await admin.put("tenants/shop/rules/everything", {
    pattern: { source: ["github"] },
    priority: "bulk",
    targets: ["archive"],
  });
}

async function sendAll(routerUrl: string): Promise<void> {
  const push = { ref: "refs/heads/main", commits: [{ message: "Sell more" }] };
  const broken = { check_run: { name: "tests", conclusion: "failure" } };
  const send = senderTo(routerUrl);
  await send("push", push, "a push to main");
  await send("star", { action: "created" }, "a star: only the archive wants it");
  const delivery = randomUUID();
  await send("check_run", broken, "a failed check: it pages somebody", delivery);
  await send("check_run", broken, "the same webhook again, as GitHub would repeat it", delivery);
  await send("push", push, "a push with a forged signature", randomUUID(), "not the secret");
}

const senderTo = (routerUrl: string) =>
  async function send(
    type: string,
    payload: object,
    what: string,
    delivery: string = randomUUID(),
    secret = GITHUB_SECRET,
  ): Promise<void> {
    const body = JSON.stringify(payload);
    const signature = createHmac("sha256", secret).update(body).digest("hex");
    const response = await fetch(`${routerUrl}/in/shop/github`, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": type,
        "x-github-delivery": delivery,
        "x-hub-signature-256": `sha256=${signature}`,
      },
    });
    const answer = (await response.json()) as Record<string, unknown>;
    const { id, deliveries, priorities, reason } = answer;
    const said = response.ok
      ? `${id}, ${deliveries} deliveries: ${JSON.stringify(priorities)}`
      : `refused: ${reason}`;
    console.log(`sent      ${what}\n          ${response.status} ${said}`);
  };

/** The pager fails once, so that a retry is seen; the others take everything. */
function receive({ path, header, headers, body }: Heard, arrivals: Arrival[]): Said {
  const target = path.slice(1);
  const attempt = header("signalbox-attempt");
  const rule = header("signalbox-rule");
  if (target === "pager" && attempt === "1") {
    console.log(`failed    ${target} answers 500 to attempt 1 of ${rule}; it will be tried again`);
    return { status: 500 };
  }
  const event = header("signalbox-event");
  arrivals.push({ target, event, genuine: isGenuine(body, headers as never) });
  console.log(`delivered ${target} by rule ${rule}, attempt ${attempt}: ${event}`);
  return { status: 200 };
}

function isGenuine(body: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(TARGET_SECRET).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

async function report(admin: Admin, arrivals: readonly Arrival[]): Promise<void> {
  const event = arrivals.find(({ target }) => target === "pager")?.event;
  const { body } = await admin.get(`tenants/shop/events/${event}`);
  console.log("\nWhat the router recorded of the failed check:");
  for (const { at, hop, detail } of body.timeline ?? []) {
    console.log(`  ${at}  ${String(hop).padEnd(10)} ${detail}`);
  }
  const signed = arrivals.filter(({ genuine }) => genuine).length;
  console.log(
    `\n${arrivals.length} of ${DELIVERIES_EXPECTED} deliveries came, ${signed} with a signature that \`standardwebhooks\` accepts.`,
  );
}
