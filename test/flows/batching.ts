/** A tenant whose target gets batches, what comes to it, and what its receiver saw. */
import { platformText } from "../../src/adapters/crypto.ts";
import { type BatchBody, batchLimitsOf } from "../../src/core/batch/batch.ts";
import type { Gate, Target } from "../../src/core/tenant.ts";
import { boundTo } from "../support/memory-records.ts";
import type { World } from "../support/memory-router.ts";
import { NO_GATE, type RuleSketch } from "../support/memory-tenants.ts";
import { response, type Sent } from "../support/memory-transport.ts";
import { consume, messageWith } from "./consumer.ts";

export const SINK = { tenant: "acme", target: "sink" };

export interface TargetSketch extends Partial<Target> {
  readonly secret?: string;
  readonly limits?: Partial<Gate>;
}

export function batchedTenant(
  world: World,
  batch: BatchBody | null,
  { limits, ...target }: TargetSketch = {},
  rule: Partial<RuleSketch> = {},
): void {
  const batched = batch === null ? {} : { batch: batchLimitsOf(batch) };
  const gate = { ...NO_GATE, ...limits, ...batched };
  world.tenants.put("acme", {
    targets: { sink: { gate, retry: { delaysSeconds: [30, 60] }, ...target } },
    rules: { orders: { targets: ["sink"], ...rule } },
  });
}

/** Events with these keys come, one after the other; urgent ones are called so. */
export async function bringTo(world: World, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const priority = key.startsWith("urgent") ? "critical" : "normal";
    const receivedAtMs = world.clock.nowMs();
    const to = [boundTo("sink", priority)];
    const message = messageWith({ key, to, receivedAtMs }, JSON.stringify({ key }));
    await consume(world, priority, [message]);
  }
}

export interface Element {
  readonly data: { readonly key: string };
  readonly signalboxdelivery: string;
  readonly signalboxattempt: number;
}

export const elementsOf = ({ body }: Pick<Sent, "body">): Element[] =>
  JSON.parse(platformText.decode(body as Uint8Array) ?? "null");

/** Keys of what came, by request. */
export const cameTo = ({ transport }: World): string[][] =>
  transport.sent.map((sent) => elementsOf(sent).map(({ data }) => data.key));

/** Answers that these have failed. */
export const failing =
  (...keys: string[]) =>
  (sent: Sent) => {
    const failed = elementsOf(sent).filter(({ data }) => keys.includes(data.key));
    const ids = failed.map(({ signalboxdelivery }) => signalboxdelivery);
    return { ...response(200), body: JSON.stringify({ failed: ids }) };
  };
