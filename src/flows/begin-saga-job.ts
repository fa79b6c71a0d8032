/** A command to all instances that a query finds: counted, and begun as a job, once for its command id. */
import type { Crypto, Text } from "../core/crypto.ts";
import { base32, timeOrderedId } from "../core/ids.ts";
import type { Command } from "../core/saga/commands.ts";
import { SAGA_BULK_MAX } from "../core/saga/limits.ts";
import { pack } from "../core/saga/text.ts";
import type { Clock, Random } from "../ports/clock.ts";
import type { SagaDirectory, SagaQuery } from "../ports/saga-index.ts";
import type { SagaJobs } from "../ports/saga-jobs.ts";

export interface BeginSagaJobPorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly random: Random;
  readonly sagaIndex: Pick<SagaDirectory, "count">;
  readonly sagaJobs: Pick<SagaJobs, "asked" | "create">;
  readonly text: Text;
}

export interface Order {
  readonly tenant: string;
  readonly command: Omit<Command, "id">;
  readonly query: SagaQuery;
  /** The client's name for the order, and the order as it was asked, which says whether it is the same. */
  readonly as: { readonly commandId: string; readonly asked: unknown } | null;
  readonly expectedCount: number | undefined;
}

export type Begun =
  | { readonly kind: "begun"; readonly job: string }
  /** It was asked for before. */
  | { readonly kind: "known"; readonly job: string }
  /** Its id is that of another command. */
  | { readonly kind: "id-taken"; readonly job: string }
  /** There are not `expectedCount` of them, or more than one command may reach. */
  | { readonly kind: "differs"; readonly count: number }
  | { readonly kind: "too-many" };

export async function beginSagaJob(order: Order, ports: BeginSagaJobPorts): Promise<Begun> {
  const { tenant, query, expectedCount } = order;
  const { clock, crypto, random, sagaIndex, sagaJobs, text } = ports;
  const as =
    order.as === null
      ? null
      : {
          commandId: order.as.commandId,
          hash: base32(crypto.sha256(text.encode(pack(order.as.asked))).subarray(0, 16)),
        };
  // Before anything is counted: what it was to reach may have ended since.
  const before = await knownAs();
  if (before !== null) return before;
  const count = await sagaIndex.count(tenant, query, SAGA_BULK_MAX + 1);
  if (expectedCount !== undefined && expectedCount !== count) return { kind: "differs", count };
  if (count > SAGA_BULK_MAX) return { kind: "too-many" };
  const id = timeOrderedId("job_", clock.nowMs(), random.bytes(10));
  const isNew = await sagaJobs.create({ tenant, id, command: order.command, query }, count, as);
  if (isNew) return { kind: "begun", job: id };
  // Another call under the same id was quicker.
  return (await knownAs()) ?? { kind: "begun", job: id };

  async function knownAs(): Promise<Extract<Begun, { job: string }> | null> {
    const known = as === null ? null : await sagaJobs.asked(tenant, as.commandId);
    if (known === null) return null;
    return { kind: known.hash === as?.hash ? "known" : "id-taken", job: known.id };
  }
}
