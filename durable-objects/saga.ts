/** One instance of a saga: its journal and its alarm. What happens in it is `flows/advance-saga.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeSaga } from "../src/compose.ts";
import type { CallbackAddress } from "../src/core/saga/callback.ts";
import type { Command } from "../src/core/saga/commands.ts";
import type { Outcome } from "../src/core/saga/instance.ts";
import { pack, unpack } from "../src/core/saga/text.ts";
import type { Env } from "../src/env.ts";
import { createSagaRun, type SagaRun } from "../src/flows/advance-saga.ts";
import type {
  CallbackAnswer,
  JournalRow,
  MigrationOrder,
  SagaJournal,
  SagaStart,
} from "../src/ports/saga.ts";
import { counted, setAlarm } from "./counted.ts";

export class Saga extends DurableObject<Env> {
  readonly #create: () => SagaRun;
  #run: SagaRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#create = () =>
      createSagaRun({
        ...composeSaga(env),
        journal: createJournal(state.storage),
        defer: (work) => state.waitUntil(work),
      });
    this.#run = this.#create();
  }

  /** The answer leaves only after the journal's first row is durable: the runtime holds it back until then. */
  async start(start: string): Promise<string> {
    return pack(await this.#run.start(unpack<SagaStart>(start)));
  }

  view(): string | null {
    const view = this.#run.view();
    return view === null ? null : pack(view);
  }

  async command(command: string, expectedRev: number | undefined): Promise<string> {
    return pack(await this.#run.command(unpack<Command>(command), expectedRev));
  }

  callback(address: string, outcome: string): Promise<CallbackAnswer> {
    return this.#run.callback(unpack<CallbackAddress>(address), unpack<Outcome>(outcome));
  }

  look(step: string): Promise<boolean> {
    return this.#run.look(step);
  }

  async undo(reason: string): Promise<string> {
    return pack(await this.#run.undo(reason));
  }

  async migrate(order: string, expectedRev: number | undefined): Promise<string> {
    return pack(await this.#run.migrate(unpack<MigrationOrder>(order), expectedRev));
  }

  receive(eventId: string, event: string): Promise<boolean> {
    return this.#run.receive(eventId, unpack(event));
  }

  wake(): Promise<boolean> {
    return this.#run.nudge();
  }

  /** The same key may start it anew: another life, that hears nothing of the former one. */
  async erase(): Promise<void> {
    await this.#run.erase();
    this.#run = this.#create();
  }

  override async alarm(): Promise<void> {
    await this.#run.wake(true);
  }
}

type Kept = { rev: number; content: string };

const JOURNAL =
  "CREATE TABLE IF NOT EXISTS journal (rev INTEGER PRIMARY KEY, content TEXT NOT NULL)";
const HAS_JOURNAL = "SELECT 1 FROM sqlite_master WHERE name = 'journal'";

function createJournal(storage: DurableObjectStorage): SagaJournal {
  const { sql } = storage;
  const add = (rev: number, content: unknown): void => {
    counted(sql, "INSERT INTO journal (rev, content) VALUES (?1, ?2)", rev, pack(content));
  };
  return {
    read() {
      // Who asks for an instance that never was leaves nothing behind.
      if (sql.exec(HAS_JOURNAL).toArray().length === 0) return null;
      const [first, ...rows] = sql
        .exec<Kept>("SELECT rev, content FROM journal ORDER BY rev")
        .toArray();
      if (first === undefined) return null;
      return {
        start: unpack<SagaStart>(first.content),
        rows: rows.map(({ content }) => unpack<JournalRow>(content)),
      };
    },
    begin(start) {
      counted(sql, JOURNAL);
      add(0, start);
    },
    append: (row) => add(row.rev, row),
    setAlarm: (atMs) => (atMs === null ? storage.deleteAlarm() : setAlarm(storage, atMs)),
    async erase() {
      await storage.deleteAlarm();
      await storage.deleteAll();
    },
  };
}
