/** What only the admin routes use. */
import type { ConfigStore } from "./config.ts";
import type { History } from "./history.ts";
import type { Jobs } from "./jobs.ts";

export interface AdminStores {
  readonly config: ConfigStore;
  readonly history: History;
  readonly jobs: Jobs;
}
