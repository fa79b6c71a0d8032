/** Stores that no plain webhook needs, neither on its way in nor out: each is loaded by whoever asks it first. */
import type { Text } from "../core/crypto.ts";
import { onFirstCall, onFirstUse } from "../core/first-use.ts";
import type { Batches } from "../ports/batches.ts";
import type { Deletions } from "../ports/deletions.ts";
import type { Reseals } from "../ports/encryption.ts";
import type { Meter } from "../ports/meter.ts";
import type { Pulls } from "../ports/pulls.ts";
import type { SagaDirectory } from "../ports/saga-index.ts";
import type { SagaJobs } from "../ports/saga-jobs.ts";
import type { Turns } from "../ports/turns.ts";
import type { Vault } from "../ports/vault.ts";
import { runningDeletions } from "./d1/deletions.ts";
import { runningReseal } from "./d1/reseals.ts";
import type { Session } from "./d1/session.ts";

export interface LateStores {
  batches(): Promise<Batches>;
  readonly deletions: Deletions;
  pulls(): Promise<Pulls>;
  readonly reseals: Reseals;
  readonly sagaIndex: SagaDirectory;
  readonly sagaJobs: SagaJobs;
  turns(): Promise<Turns>;
}

export const createLateStores = (
  session: Session,
  vault: Vault,
  archive: { readonly bucket: R2Bucket; readonly text: Text; readonly meter: Meter },
): LateStores => ({
  batches: onFirstUse(async () => {
    const { createBatches } = await import("./d1/batches.ts");
    return createBatches(session);
  }),
  deletions: {
    running: (count) => runningDeletions(session, count),
    remover: onFirstUse(async () => {
      const { createArchiveListing } = await import("./archive-listing.ts");
      const { createRemover } = await import("./d1/remover.ts");
      const { bucket, text, meter } = archive;
      return createRemover(session, createArchiveListing(bucket, text, meter));
    }),
  },
  pulls: onFirstUse(async () => {
    const { createPulls } = await import("./d1/pulls.ts");
    return createPulls(session);
  }),
  reseals: {
    running: () => runningReseal(session),
    resealer: onFirstUse(async () => {
      const { createResealer } = await import("./d1/encryption.ts");
      return createResealer(session, vault);
    }),
  },
  sagaIndex: createLateSagaIndex(session),
  sagaJobs: onFirstCall(["create", "asked", "cancel", "running", "advance"], async () => {
    const { createSagaJobs } = await import("./d1/saga-jobs.ts");
    return createSagaJobs(session);
  }),
  turns: onFirstUse(async () => {
    const { createTurns } = await import("./d1/turns.ts");
    return createTurns(session);
  }),
});

export function createLateSagaIndex(session: Session): SagaDirectory {
  const names = ["begin", "forget", "put", "list", "count", "overdue", "ofTenant"] as const;
  return onFirstCall(names, async () => {
    const { createSagaDirectory } = await import("./d1/saga-index.ts");
    return createSagaDirectory(session);
  });
}
