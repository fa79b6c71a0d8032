/** Gates: one Durable Object for each target that needs one, reached by RPC. */
import type { GateConfig } from "../core/gate/index.ts";
import type { Limitation } from "../core/limitation.ts";
import type { GateAnswered, GateId, Gates, GateTold } from "../ports/gates.ts";
import type { Meter } from "../ports/meter.ts";

export interface TargetGateRpc extends Rpc.DurableObjectBranded {
  tell(id: GateId, told: GateTold): Promise<GateAnswered | null>;
  limits(id: GateId, config: GateConfig): Promise<Limitation[]>;
  nextBatchMs(id: GateId): Promise<number | null>;
  reset(id: GateId, config: GateConfig): Promise<void>;
  wake(id: GateId, config: GateConfig | null): Promise<void>;
}

export function createGates(namespace: DurableObjectNamespace<TargetGateRpc>, meter: Meter): Gates {
  const objectOf = ({ tenant, target }: GateId) => {
    meter.add("durable_object_calls");
    return namespace.getByName(`${tenant}/${target}`);
  };
  return {
    tell: (id, told) => objectOf(id).tell(id, told),
    limits: (id, config) => objectOf(id).limits(id, config),
    nextBatchMs: (id) => objectOf(id).nextBatchMs(id),
    reset: (id, config) => objectOf(id).reset(id, config),
    wake: (id, config) => objectOf(id).wake(id, config),
  };
}
