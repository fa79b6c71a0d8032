/** What only the admin routes use. */
import type { ArchiveListing } from "./archive.ts";
import type { Audit } from "./audit.ts";
import type { ConfigStore } from "./config.ts";
import type { Deeds, OpenDeed } from "./deeds.ts";
import type { Encryption } from "./encryption.ts";
import type { FanOuts } from "./fan-outs.ts";
import type { History } from "./history.ts";
import type { Jobs } from "./jobs.ts";
import type { QueueControls } from "./queue-controls.ts";
import type { Replays } from "./replays.ts";
import type { RuleEnds } from "./rule-ends.ts";
import type { Versions } from "./versions.ts";

export interface AdminStores {
  readonly archive: ArchiveListing;
  readonly audit: Audit;
  readonly config: ConfigStore;
  /** What the request that they were made for does; null for one that changes nothing. */
  readonly deed: OpenDeed | null;
  readonly deeds: Deeds;
  readonly encryption: Encryption;
  readonly fanOuts: FanOuts;
  readonly history: History;
  readonly jobs: Jobs;
  readonly queueControls: QueueControls;
  readonly replays: Replays;
  readonly ruleEnds: RuleEnds;
  /** Of sagas. */
  readonly sagaVersions: Versions;
  /** Of rules. */
  readonly versions: Versions;
}
