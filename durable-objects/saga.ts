/** One instance of a saga: its journal and its alarm. What happens in it is `flows/advance-saga.ts`. */
import { DurableObject } from "cloudflare:workers";
import { composeSaga } from "../src/compose.ts";
import type { Command } from "../src/core/saga/commands.ts";
import { pack, unpack } from "../src/core/saga/text.ts";
import type { Env } from "../src/env.ts";
import { createSagaRun, type SagaRun } from "../src/flows/advance-saga.ts";
import type { JournalRow, SagaJournal, SagaStart } from "../src/ports/saga.ts";
import { counted, setAlarm } from "./counted.ts";

export class Saga extends DurableObject<Env> {
  readonly #run: SagaRun;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#run = createSagaRun({
      ...composeSaga(env),
      journal: createJournal(state.storage),
      defer: (work) => state.waitUntil(work),
    });
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

  receive(eventId: string, event: string): Promise<boolean> {
    return this.#run.receive(eventId, unpack(event));
  }

  async wake(): Promise<boolean> {
    await this.#run.wake();
    return this.#run.view() !== null;
  }

  erase(): Promise<void> {
    return this.#run.erase();
  }

  override async alarm(): Promise<void> {
    await this.#run.wake(true);
  }
}

type Kept = { rev: number; content: string };

function createJournal(storage: DurableObjectStorage): SagaJournal {
  const { sql } = storage;
  sql.exec("CREATE TABLE IF NOT EXISTS journal (rev INTEGER PRIMARY KEY, content TEXT NOT NULL)");
  const add = (rev: number, content: unknown): void => {
    counted(sql, "INSERT INTO journal (rev, content) VALUES (?1, ?2)", rev, pack(content));
  };
  return {
    read() {
      const [first, ...rows] = sql
        .exec<Kept>("SELECT rev, content FROM journal ORDER BY rev")
        .toArray();
      if (first === undefined) return null;
      return {
        start: unpack<SagaStart>(first.content),
        rows: rows.map(({ content }) => unpack<JournalRow>(content)),
      };
    },
    begin: (start) => add(0, start),
    append: (row) => add(row.rev, row),
    setAlarm: (atMs) => (atMs === null ? storage.deleteAlarm() : setAlarm(storage, atMs)),
    async erase() {
      await storage.deleteAlarm();
      await storage.deleteAll();
    },
  };
}
