/** What only the admin routes use. */
import type { ConfigStore } from "./config.ts";
import type { History } from "./history.ts";

export interface AdminStores {
  readonly config: ConfigStore;
  readonly history: History;
}
