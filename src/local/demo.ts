/**
 * `npm run demo`: a router of its own, real signed webhooks, an order that goes through and one that is undone,
 * and what went where in which order. Ends with status 0 when all came as it was expected.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdmin } from "./admin.ts";
import { showOrders } from "./demo-orders.ts";
import { showWebhooks } from "./demo-webhooks.ts";
import { startEngine } from "./engine.ts";
import { randomVars } from "./vars.ts";

const stateDirectory = mkdtempSync(join(tmpdir(), "signalbox-demo-"));
const vars = randomVars();
console.log("Starting a router with a state of its own …");
const engine = await startEngine({ port: 0, stateDirectory, vars, onLine: () => {} });
let isWell = false;
try {
  const admin = createAdmin(engine.url, vars.ADMIN_TOKEN ?? "");
  await admin.put("tenants/shop", { name: "A shop" });
  isWell = await showWebhooks(admin, engine.url);
  isWell = (await showOrders(admin, engine.url)) && isWell;
} finally {
  await engine.stop();
  rmSync(stateDirectory, { recursive: true, force: true });
}
process.exit(isWell ? 0 : 1);
