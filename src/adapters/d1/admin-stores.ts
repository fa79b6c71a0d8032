/** The admin half of the D1 adapters, in one module so that it is loaded on first use. */
import type { AdminStores } from "../../ports/admin.ts";
import type { Vault } from "../../ports/vault.ts";
import { createConfigStore } from "./config-store.ts";
import { createHistory } from "./history.ts";
import { createJobs } from "./jobs.ts";
import type { Session } from "./session.ts";

export const createAdminStores = (session: Session, vault: Vault): AdminStores => ({
  config: createConfigStore(session, vault),
  history: createHistory(session),
  jobs: createJobs(session),
});
