/** What wrangler runs: the doors of the Worker and its Durable Objects, nothing else. */
import { handleQueue } from "../consumers/index.ts";
import { createApp } from "./app.ts";
import { compose } from "./compose.ts";
import type { Env } from "./env.ts";

export { FanOut } from "../durable-objects/fan-out.ts";
export { Outbox } from "../durable-objects/outbox.ts";
export { Replay } from "../durable-objects/replay.ts";
export { Saga } from "../durable-objects/saga.ts";
export { TargetGate } from "../durable-objects/target-gate.ts";
export { TenantLimiter } from "../durable-objects/tenant-limiter.ts";

const app = createApp();

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),

  async queue(batch, env) {
    const composed = compose(env);
    if (composed.ok) await handleQueue(batch, composed.app.deliver);
    else batch.retryAll({ delaySeconds: 60 });
  },

  async scheduled(controller, env) {
    const composed = compose(env);
    if (!composed.ok) return;
    const { RECOVER_CRON, recoverAll, sweep } = await import("./flows/sweep.ts");
    if (controller.cron === RECOVER_CRON) await recoverAll(composed.app.deliver);
    else await sweep("overdue", composed.app.deliver);
  },
} satisfies ExportedHandler<Env, unknown>;
