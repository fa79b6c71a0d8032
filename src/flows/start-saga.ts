/** Starts an instance of a saga: first it can be found, then it begins. */
import type { Crypto, Text } from "../core/crypto.ts";
import { sagaId } from "../core/ids.ts";
import { SAGA_STARTING_MS } from "../core/saga/limits.ts";
import type { SagaDefinition } from "../core/tenant.ts";
import type { Clock } from "../ports/clock.ts";
import type { SagaStart, Sagas, SagaView } from "../ports/saga.ts";
import type { SagaIndex } from "../ports/saga-index.ts";

export interface StartPorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly sagaIndex: Pick<SagaIndex, "begin" | "forget">;
  readonly sagas: Pick<Sagas, "start">;
  readonly text: Text;
}

export interface StartRequest extends Omit<SagaStart, "id" | "startedAtMs" | "doc" | "version"> {
  readonly definition: SagaDefinition;
  /** Of a child, whose step knows it by it; derived from the key if left out. */
  readonly id?: string;
}

/** The same key again answers with the instance that there is. Throws when a store does not answer. */
export async function startSaga(
  request: StartRequest,
  ports: StartPorts,
): Promise<{ readonly created: boolean; readonly view: SagaView }> {
  const nowMs = ports.clock.nowMs();
  const { definition, ...named } = request;
  const { tenant, saga, key, correlationId } = named;
  const { version, doc, createdAtMs } = definition;
  const id = request.id ?? sagaId({ tenant, saga, createdAtMs, key }, ports.crypto, ports.text);
  // No instance is invisible: should its object never answer, the sweeper asks it.
  await ports.sagaIndex.begin({
    ...{ id, tenant, saga, version, key, correlationId, status: "STARTING", paused: false },
    ...{ step: null, reason: null, rev: 0, startedAtMs: nowMs, updatedAtMs: nowMs },
    dueAtMs: nowMs + SAGA_STARTING_MS,
  });
  const started = await ports.sagas.start({ ...named, id, version, doc, startedAtMs: nowMs });
  if (started.view.startedAtMs !== nowMs) {
    // It has an entry of its own. If this one cannot be forgotten now, the sweeper does it.
    await ports.sagaIndex.forget({ tenant, startedAtMs: nowMs, id }).catch(() => {});
  }
  return started;
}
