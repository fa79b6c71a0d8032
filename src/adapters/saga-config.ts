/** What steps of sagas name: read as it is saved at that moment, since no revision is told to their objects. */

import type { SagaDoc } from "../core/saga/definition.ts";
import { unpack } from "../core/saga/text.ts";
import { type TargetDoc, targetOf } from "../core/stored-target.ts";
import type { ConfigStore } from "../ports/config.ts";
import type { SagaConfig } from "../ports/saga.ts";

/** `open` gives the store on first use: most steps name nothing. */
export function createSagaConfig(open: () => Promise<ConfigStore>): SagaConfig {
  return {
    async saga(tenant, name) {
      const stored = await (await open()).resource(tenant, "saga", name);
      if (stored === null) return null;
      const { version, createdAtMs } = stored;
      return { version, createdAtMs, doc: unpack<SagaDoc>(stored.doc) };
    },

    async target(tenant, id) {
      const stored = await (await open()).resource(tenant, "target", id);
      if (stored === null) return null;
      const { createdAtMs: bornAtMs, version, doc, secrets, lockedBy } = stored;
      const found = targetOf(id, { doc: unpack<TargetDoc>(doc), secrets }, () => null);
      const target = { ...found, gate: { ...found.gate, bornAtMs, version } };
      return lockedBy === null ? target : { ...target, isLocked: true };
    },
  };
}
