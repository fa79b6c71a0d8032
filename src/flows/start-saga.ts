/** Starts an instance of a saga: first it can be found, then it begins. */
import type { Crypto, Text } from "../core/crypto.ts";
import { sagaId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { SAGA_STARTING_MS } from "../core/limits.ts";
import type { SagaDoc } from "../core/saga/definition.ts";
import type { Clock } from "../ports/clock.ts";
import type { SagaIndex, Sagas, SagaView } from "../ports/saga.ts";

export interface StartPorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly sagaIndex: SagaIndex;
  readonly sagas: Sagas;
  readonly text: Text;
}

export interface StartRequest {
  readonly tenant: string;
  readonly saga: string;
  readonly version: number;
  readonly doc: SagaDoc;
  readonly key: string;
  readonly correlationId: string | null;
  readonly input: Json;
}

/** The same key again answers with the instance that there is. Throws when a store does not answer. */
export async function startSaga(
  request: StartRequest,
  ports: StartPorts,
): Promise<{ readonly created: boolean; readonly view: SagaView }> {
  const nowMs = ports.clock.nowMs();
  const id = sagaId(request, ports.crypto, ports.text);
  const { tenant, saga, version, key, correlationId } = request;
  // No instance is invisible: should its object never answer, the sweeper asks it.
  await ports.sagaIndex.begin({
    ...{ id, tenant, saga, version, key, correlationId, status: "STARTING", paused: false },
    ...{ step: null, reason: null, rev: 0, startedAtMs: nowMs, updatedAtMs: nowMs },
    dueAtMs: nowMs + SAGA_STARTING_MS,
  });
  return ports.sagas.start({ ...request, id, startedAtMs: nowMs });
}
