/**
 * `npm run demo`: a router of its own, real signed webhooks, and what went where in which order. Ends
 * with status 0 when every delivery came as it was expected.
 */
import { createHmac, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { type Admin, createAdmin } from "./admin.ts";
import { startEngine } from "./engine.ts";
import { randomVars } from "./vars.ts";

const GITHUB_SECRET: string = randomUUID();
const TARGET_SECRET = `whsec_${Buffer.from(randomUUID() + randomUUID())
  .subarray(0, 32)
  .toString("base64")}`;
const DELIVERIES_EXPECTED = 5;
const DEADLINE_MS = 60_000;

interface Arrival {
  readonly target: string;
  readonly rule: string;
  readonly event: string;
  readonly attempt: string;
  readonly genuine: boolean;
}

const arrivals: Arrival[] = [];
const receiver = createServer(receive);
await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

const stateDirectory = mkdtempSync(join(tmpdir(), "signalbox-demo-"));
const vars = randomVars();
console.log("Starting a router with a state of its own …");
const engine = await startEngine({ port: 0, stateDirectory, vars, onLine: () => {} });
try {
  const admin = createAdmin(engine.url, vars.ADMIN_TOKEN ?? "");
  await configure(admin);
  await sendAll();
  await untilArrived();
  await report(admin);
} finally {
  await engine.stop();
  receiver.close();
  receiver.closeAllConnections();
  rmSync(stateDirectory, { recursive: true, force: true });
}
process.exit(arrivals.length === DELIVERIES_EXPECTED ? 0 : 1);

async function configure(admin: Admin): Promise<void> {
  await admin.put("tenants/shop", { name: "A shop" });
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

async function sendAll(): Promise<void> {
  const push = { ref: "refs/heads/main", commits: [{ message: "Sell more" }] };
  const broken = { check_run: { name: "tests", conclusion: "failure" } };
  await send("push", push, "a push to main");
  await send("star", { action: "created" }, "a star: only the archive wants it");
  const delivery = randomUUID();
  await send("check_run", broken, "a failed check: it pages somebody", delivery);
  await send("check_run", broken, "the same webhook again, as GitHub would repeat it", delivery);
  await send("push", push, "a push with a forged signature", randomUUID(), "not the secret");
}

async function send(
  type: string,
  payload: object,
  what: string,
  delivery: string = randomUUID(),
  secret = GITHUB_SECRET,
): Promise<void> {
  const body = JSON.stringify(payload);
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const response = await fetch(`${engine.url}/in/shop/github`, {
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
}

/** The pager fails once, so that a retry is seen; the others take everything. */
function receive(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const header = (name: string) => String(request.headers[name] ?? "");
    const target = (request.url ?? "").slice(1);
    const attempt = header("signalbox-attempt");
    const rule = header("signalbox-rule");
    if (target === "pager" && attempt === "1") {
      console.log(
        `failed    ${target} answers 500 to attempt 1 of ${rule}; it will be tried again`,
      );
      response.writeHead(500).end();
      return;
    }
    const genuine = isGenuine(Buffer.concat(chunks).toString(), request.headers as never);
    const event = header("signalbox-event");
    arrivals.push({ target, rule, event, attempt, genuine });
    console.log(`delivered ${target} by rule ${rule}, attempt ${attempt}: ${event}`);
    response.end("ok");
  });
}

function isGenuine(body: string, headers: Record<string, string>): boolean {
  try {
    new Webhook(TARGET_SECRET).verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

async function untilArrived(): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (arrivals.length < DELIVERIES_EXPECTED && Date.now() < end) await sleep(50);
}

async function report(admin: Admin): Promise<void> {
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
