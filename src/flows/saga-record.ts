/** What is known of one instance of a saga: the fold of its journal, and facts that are not written yet. */

import { compileSaga } from "../core/saga/definition.ts";
import { fold } from "../core/saga/fold.ts";
import { type Entry, type Instance, startInstance } from "../core/saga/instance.ts";
import { SAGA_ROW_CHARACTERS_MAX } from "../core/saga/limits.ts";
import { pack } from "../core/saga/text.ts";
import type { Clock } from "../ports/clock.ts";
import type { Actor, JournalRow, SagaJournal, SagaStart } from "../ports/saga.ts";

export interface Known {
  /** With the definition that it runs by now. */
  readonly start: SagaStart;
  readonly instance: Instance;
}

const SYSTEM: Actor = { by: "system" };

export class SagaRecord {
  readonly #journal: SagaJournal;
  readonly #clock: Clock;
  #known: Known | null = null;
  /** Known here, and written down together with what follows from it. */
  #begun: SagaStart | null = null;
  #rows: JournalRow[] = [];
  #noted: Entry[] = [];
  #notedAtMs = 0;
  #facts = 0;
  #written = Promise.withResolvers<void>();

  constructor(journal: SagaJournal, clock: Clock) {
    this.#journal = journal;
    this.#clock = clock;
    const kept = journal.read();
    if (kept === null) return;
    this.#take(kept.start);
    for (const row of kept.rows) {
      this.#fold(row.entries, row.atMs);
      this.#rows.push(row);
    }
  }

  /** Null before the instance has begun. */
  get known(): Known | null {
    return this.#known;
  }

  get rows(): readonly JournalRow[] {
    return this.#rows;
  }

  /** Rises with every row. */
  get rev(): number {
    return this.#rows.length;
  }

  /** Rises with every fact, also of those that are not written yet. */
  get facts(): number {
    return this.#facts;
  }

  /** Settled by the next row that is written. */
  get written(): Promise<void> {
    return this.#written.promise;
  }

  /** Whether what is known has its beginning in the journal. */
  get isKept(): boolean {
    return this.#known !== null && this.#begun === null;
  }

  begin(start: SagaStart): void {
    this.#begun = start;
    this.#take(start);
  }

  /** Takes facts for true at once; they are written together with what follows from them. */
  note(entries: readonly Entry[]): void {
    if (this.#known === null || entries.length === 0) return;
    if (this.#noted.length === 0) this.#notedAtMs = this.#clock.nowMs();
    this.#noted.push(...entries);
    this.#facts += entries.length;
    this.#fold(entries, this.#notedAtMs);
  }

  /** One transaction. Whatever is to be relied on, by a request above all, is written down before. */
  commit(actor: Actor = SYSTEM): void {
    // Rows that are written without a pause between them are in one transaction.
    for (const entries of asRows(this.#noted)) {
      const row: JournalRow = { rev: this.rev + 1, atMs: this.#notedAtMs, actor, entries };
      if (this.#begun === null) this.#journal.append(row);
      else this.#journal.begin(this.#begun, row);
      this.#begun = null;
      this.#rows.push(row);
      this.#noted.splice(0, entries.length);
      this.#tell();
    }
    if (this.#begun === null) return;
    this.#journal.begin(this.#begun, null);
    this.#begun = null;
    this.#tell();
  }

  /** What came from outside, written by itself. */
  append(entries: readonly Entry[], actor: Actor): void {
    this.commit();
    this.note(entries);
    this.commit(actor);
  }

  async erase(): Promise<void> {
    // First here: whatever is still under way writes nothing more.
    this.#facts += 1;
    [this.#known, this.#begun, this.#rows, this.#noted] = [null, null, [], []];
    await this.#journal.erase();
  }

  #tell(): void {
    this.#written.resolve();
    this.#written = Promise.withResolvers();
  }

  #take(start: SagaStart): void {
    const { doc, input, startedAtMs } = start;
    this.#known = { start, instance: startInstance(compileSaga(doc), input, startedAtMs) };
  }

  #fold(entries: readonly Entry[], atMs: number): void {
    if (this.#known === null) return;
    const { start, instance } = this.#known;
    const migrated = entries.findLast((entry) => entry.kind === "migrate");
    const { version, doc } = migrated ?? start;
    this.#known = { start: { ...start, version, doc }, instance: fold(instance, entries, atMs) };
  }
}

/** As few rows as may be, none of them too large for its storage. */
function asRows(entries: readonly Entry[]): Entry[][] {
  const rows: Entry[][] = [];
  let characters = 0;
  for (const entry of entries) {
    characters += charactersOf(entry);
    const row = rows.at(-1);
    if (row !== undefined && characters <= SAGA_ROW_CHARACTERS_MAX) row.push(entry);
    else {
      rows.push([entry]);
      characters = charactersOf(entry);
    }
  }
  return rows;
}

/** At most; a body, which is text already, is not written out for it. */
function charactersOf(entry: Entry): number {
  switch (entry.kind) {
    case "migrate":
      return pack(entry.doc).length;
    case "request": {
      if (entry.rendered === undefined) return 0;
      const { body, ...head } = entry.rendered;
      return (body?.length ?? 0) + pack(head).length;
    }
    case "held":
      return entry.reason.length;
    case "answer":
    case "end-wait":
      return pack(entry.outcome).length;
    default:
      return 0;
  }
}
