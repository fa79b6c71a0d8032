/** Instances of sagas: a Durable Object each, reached by RPC. What goes there and back is JSON text, exact. */
import { stringifyJson } from "../core/json.ts";
import { pack, unpack } from "../core/saga/text.ts";
import type { Meter } from "../ports/meter.ts";
import type {
  CallbackAnswer,
  CommandAnswer,
  MigrationAnswer,
  Sagas,
  SagaView,
  UndoAnswer,
} from "../ports/saga.ts";

export interface SagaRpc extends Rpc.DurableObjectBranded {
  start(start: string): Promise<string>;
  view(): Promise<string | null>;
  command(command: string, expectedRev: number | undefined): Promise<string>;
  callback(address: string, outcome: string): Promise<CallbackAnswer>;
  look(step: string): Promise<boolean>;
  undo(reason: string): Promise<string>;
  migrate(order: string, expectedRev: number | undefined): Promise<string>;
  receive(eventId: string, event: string): Promise<boolean>;
  wake(): Promise<number | null>;
  erase(): Promise<void>;
}

export function createSagas(namespace: DurableObjectNamespace<SagaRpc>, meter: Meter): Sagas {
  const object = (id: string) => {
    meter.add("durable_object_calls");
    return namespace.getByName(id);
  };
  return {
    start: async (start) => unpack(await object(start.id).start(pack(start))),
    async view(id) {
      const view = await object(id).view();
      return view === null ? null : unpack<SagaView>(view);
    },
    command: async (id, command, expectedRev) =>
      unpack<CommandAnswer>(await object(id).command(pack(command), expectedRev)),
    callback: (address, outcome) => object(address.id).callback(pack(address), pack(outcome)),
    look: (id, step) => object(id).look(step),
    undo: async (id, reason) => unpack<UndoAnswer>(await object(id).undo(reason)),
    migrate: async (id, order, expectedRev) =>
      unpack<MigrationAnswer>(await object(id).migrate(pack(order), expectedRev)),
    receive: (id, eventId, event) => object(id).receive(eventId, stringifyJson(event)),
    wake: (id) => object(id).wake(),
    erase: (id) => object(id).erase(),
  };
}
