/** The admin half of the D1 adapters, in one module so that it is loaded on first use. */
import type { AdminStores } from "../../ports/admin.ts";
import type { Vault } from "../../ports/vault.ts";
import { createConfigStore } from "./config-store.ts";
import { createHistory } from "./history.ts";
import type { Session } from "./session.ts";

export const createAdminStores = (db: D1Database, vault: Vault, session: Session): AdminStores => ({
  config: createConfigStore(db, session, vault),
  history: createHistory(db, session),
});
