/** One instance of a saga: its journal and its alarm. What happens in it is `flows/advance-saga.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeSaga } from "../src/compose.ts";
import { onFirstUse } from "../src/core/first-use.ts";
import { OBJECT_VALUE_BYTES_MAX } from "../src/core/limits.ts";
import type { CallbackAddress } from "../src/core/saga/callback-address.ts";
import type { Command } from "../src/core/saga/commands.ts";
import type { Outcome } from "../src/core/saga/instance.ts";
import { pack, unpack } from "../src/core/saga/text.ts";
import type { Env } from "../src/env.ts";
import type { SagaRun } from "../src/flows/advance-saga.ts";
import type {
  CallbackAnswer,
  JournalRow,
  MigrationOrder,
  SagaJournal,
  SagaStart,
} from "../src/ports/saga.ts";
import { putNow, setAlarm } from "./counted.ts";

export class Saga extends DurableObject<Env> {
  /** The driver is loaded by the first instance of an isolate: who takes webhooks in does not pay for it. */
  readonly #create: () => Promise<SagaRun>;
  #driver: () => Promise<SagaRun>;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#create = async () => {
      const { createSagaRun } = await import("../src/flows/advance-saga.ts");
      return createSagaRun({
        ...composeSaga(env),
        journal: createJournal(state.storage),
        defer: (work) => state.waitUntil(work),
      });
    };
    this.#driver = onFirstUse(this.#create);
  }

  /** The answer leaves only after the journal's first row is durable: the runtime holds it back until then. */
  async start(start: string): Promise<string> {
    return pack(await (await this.#driver()).start(unpack<SagaStart>(start)));
  }

  async view(): Promise<string | null> {
    const view = (await this.#driver()).view();
    return view === null ? null : pack(view);
  }

  async command(command: string, expectedRev: number | undefined): Promise<string> {
    return pack(await (await this.#driver()).command(unpack<Command>(command), expectedRev));
  }

  async callback(address: string, outcome: string): Promise<CallbackAnswer> {
    return (await this.#driver()).callback(
      unpack<CallbackAddress>(address),
      unpack<Outcome>(outcome),
    );
  }

  async look(step: string): Promise<boolean> {
    return (await this.#driver()).look(step);
  }

  async undo(reason: string): Promise<string> {
    return pack(await (await this.#driver()).undo(reason));
  }

  async migrate(order: string, expectedRev: number | undefined): Promise<string> {
    return pack(await (await this.#driver()).migrate(unpack<MigrationOrder>(order), expectedRev));
  }

  async receive(eventId: string, event: string): Promise<boolean> {
    return (await this.#driver()).receive(eventId, unpack(event));
  }

  async wake(): Promise<number | null> {
    return (await this.#driver()).nudge();
  }

  /** The same key may start it anew: another life, that hears nothing of the former one. */
  async erase(): Promise<void> {
    await (await this.#driver()).erase();
    this.#driver = onFirstUse(this.#create);
  }

  override async alarm(): Promise<void> {
    await (await this.#driver()).wake(true);
  }
}

/** In the order of their names: revisions, the start before all. */
const nameOf = (rev: number): string => String(rev).padStart(8, "0");

const HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'journal'";

/** Instances that began under a deployment which kept journals in a table go on with what stands there. */
function moveTable(storage: DurableObjectStorage): void {
  const { kv, sql } = storage;
  if (sql.exec(HAS_TABLE).toArray().length === 0) return;
  storage.transactionSync(() => {
    const rows = sql.exec<{ rev: number; content: string }>("SELECT rev, content FROM journal");
    for (const { rev, content } of rows.toArray()) {
      kv.put(nameOf(rev), new TextEncoder().encode(rev === 0 ? `[${content}]` : content));
    }
    sql.exec("DROP TABLE journal");
  });
}

/** What stands under the first name: the start, and the first row where there is room for both. */
type First = readonly [SagaStart, JournalRow?];

/**
 * Values under names, each a row: a table of its own would cost two more for every instance. As bytes, because
 * text beyond Latin-1 would take two for each character.
 */
function createJournal(storage: DurableObjectStorage): SagaJournal {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const add = (rev: number, content: Uint8Array): void => putNow(storage, nameOf(rev), content);
  const bytesOf = (content: unknown): Uint8Array => encoder.encode(pack(content));
  return {
    read() {
      moveTable(storage);
      const kept = [...storage.kv.list<Uint8Array>()].map(([, bytes]) => decoder.decode(bytes));
      const [first, ...rows] = kept;
      if (first === undefined) return null;
      const [start, row] = unpack<First>(first);
      const later = rows.map((content) => unpack<JournalRow>(content));
      return { start, rows: row === undefined ? later : [row, ...later] };
    },
    begin(start, row) {
      const both = bytesOf(row === null ? [start] : [start, row]);
      if (row === null || both.length <= OBJECT_VALUE_BYTES_MAX) return add(0, both);
      add(0, bytesOf([start]));
      add(row.rev, bytesOf(row));
    },
    append: (row) => add(row.rev, bytesOf(row)),
    setAlarm: (atMs) => (atMs === null ? storage.deleteAlarm() : setAlarm(storage, atMs)),
    async erase() {
      await storage.deleteAlarm();
      await storage.deleteAll();
    },
  };
}
