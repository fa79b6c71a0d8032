/** The admin half of the adapters, in one module so that it is loaded on first use. */
import type { Text } from "../../core/crypto.ts";
import type { DeedStart } from "../../core/deed.ts";
import type { AdminStores } from "../../ports/admin.ts";
import type { Meter } from "../../ports/meter.ts";
import type { Vault } from "../../ports/vault.ts";
import { createArchiveListing } from "../archive-listing.ts";
import { platformCrypto } from "../crypto.ts";
import { createAudit } from "./audit.ts";
import { createConfigStore } from "./config-store.ts";
import { createDeeds, record } from "./deeds.ts";
import { createEncryption } from "./encryption.ts";
import { createFanOuts } from "./fan-outs.ts";
import { createHistory } from "./history.ts";
import { createJobs } from "./jobs.ts";
import { createQueueControls } from "./queue-controls.ts";
import { createReplays } from "./replays.ts";
import { createRuleEnds } from "./rule-ends.ts";
import type { Session } from "./session.ts";
import { createVersions } from "./versions.ts";

/** `start`: of the deed that these are for; without one they are for reading, and for what goes on by itself. */
export function createAdminStores(
  common: Session,
  vault: Vault,
  bucket: R2Bucket,
  text: Text,
  meter: Meter,
  start: DeedStart | null,
): AdminStores {
  const { session, deed, note } =
    start === null ? { session: common, deed: null, note: undefined } : record(common, start);
  return {
    archive: createArchiveListing(bucket, text, meter),
    audit: createAudit(session),
    config: createConfigStore(session, vault, undefined, note),
    deed,
    deeds: createDeeds(session),
    encryption: createEncryption(session, vault),
    fanOuts: createFanOuts(session, { crypto: platformCrypto, text }),
    history: createHistory(session),
    jobs: createJobs(session),
    queueControls: createQueueControls(session, note),
    replays: createReplays(session),
    ruleEnds: createRuleEnds(session),
    sagaVersions: createVersions(session, "saga"),
    versions: createVersions(session, "rule"),
  };
}
