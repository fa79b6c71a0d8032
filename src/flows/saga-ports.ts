/** What an instance of a saga needs. */
import type { Text } from "../core/crypto.ts";
import type { Clock, Random } from "../ports/clock.ts";
import type { Gates } from "../ports/gates.ts";
import type { Log } from "../ports/log.ts";
import type { Publisher } from "../ports/publisher.ts";
import type { Callbacks, SagaConfig, SagaJournal, Sagas } from "../ports/saga.ts";
import type { SagaIndex } from "../ports/saga-index.ts";
import type { StreamCrypto } from "../ports/stream-crypto.ts";
import type { Transport } from "../ports/transport.ts";
import type { Receivers } from "./receivers.ts";
import type { Tokens } from "./tokens.ts";

export interface SagaPorts {
  readonly callbacks: Pick<Callbacks, "urlOf">;
  readonly clock: Clock;
  readonly config: SagaConfig;
  readonly crypto: StreamCrypto;
  readonly gates: Pick<Gates, "tell">;
  readonly index: SagaIndex;
  readonly journal: SagaJournal;
  readonly log: Log;
  readonly publisher: Publisher;
  readonly random: Random;
  /** Of this isolate. */
  readonly receivers: Receivers;
  /** The other instances: children and parents. */
  readonly sagas: Pick<Sagas, "start" | "view" | "look" | "undo">;
  readonly text: Text;
  /** Of this isolate. */
  readonly tokens: Tokens;
  readonly transport: Transport;
  /** Work that goes on after the answer. */
  defer(work: Promise<unknown>): void;
}
