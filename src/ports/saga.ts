/** Instances of sagas: what one is kept in, and what it is asked. */
import type { Json } from "../core/json.ts";
import type { Fault } from "../core/problem.ts";
import type { HeardBack } from "../core/saga/callback.ts";
import type { CallbackAddress } from "../core/saga/callback-address.ts";
import type { Command, CommandKind } from "../core/saga/commands.ts";
import type { SagaDoc } from "../core/saga/definition.ts";
import type { Entry, Instance, Outcome } from "../core/saga/instance.ts";
import type { Migration } from "../core/saga/migrate.ts";
import type { SagaDefinition, Target } from "../core/tenant.ts";

/** The first row of a journal: all that an instance needs from outside. */
export interface SagaStart {
  readonly id: string;
  readonly tenant: string;
  readonly saga: string;
  /** Of the definition, whose snapshot is `doc`. */
  readonly version: number;
  readonly doc: SagaDoc;
  readonly key: string;
  readonly correlationId: string | null;
  readonly input: Json;
  readonly startedAtMs: number;
  /** Of the event that started it: how many steps of sagas have published it and its ancestors. None if left out. */
  readonly hops?: number;
  /** The step that started it, of which instance; nobody's if left out. */
  readonly parent?: { readonly id: string; readonly step: string };
  /** How many parents stand above it; none if left out. */
  readonly depth?: number;
}

/** Who did something, and with which command. */
export interface Actor {
  /** "system", "event", "callback", "parent", "child" or "operator". */
  readonly by: string;
  /** Of an operator, as far as the client says. */
  readonly name?: string;
  readonly command?: CommandKind | "migrate";
  readonly reason?: string;
  readonly commandId?: string;
  /** Of the whole command: another one may not come under the same id. */
  readonly commandHash?: string;
  readonly expectedRev?: number;
}

/** What one transaction appended. */
export interface JournalRow {
  readonly rev: number;
  readonly atMs: number;
  readonly actor: Actor;
  readonly entries: readonly Entry[];
}

/** One instance's own storage. Every call is one transaction, done when it returns. */
export interface SagaJournal {
  read(): { readonly start: SagaStart; readonly rows: readonly JournalRow[] } | null;
  /** Where it fits, start and first row are one row of the storage. */
  begin(start: SagaStart, first: JournalRow | null): void;
  append(row: JournalRow): void;
  /** Milliseconds since 1970; null when there is none. */
  setAlarm(atMs: number | null): Promise<void>;
  /** Forgets everything. */
  erase(): Promise<void>;
}

/** The addresses at which participants tell outcomes later. */
export interface Callbacks {
  /** A URL; a reference relative to the router's address if it does not know its own. */
  urlOf(address: CallbackAddress): string;
  /** Null for what was not signed here. */
  read(signed: string): CallbackAddress | null;
}

/** What steps name, as it is saved now. Rejects when it cannot be read. */
export interface SagaConfig {
  /** With its secrets; null when there is none. */
  target(tenant: string, id: string): Promise<Target | null>;
  saga(tenant: string, name: string): Promise<SagaDefinition | null>;
}

/** An instance as people see it. */
export interface SagaView {
  readonly id: string;
  readonly tenant: string;
  readonly saga: string;
  readonly version: number;
  readonly key: string;
  readonly correlationId: string | null;
  readonly status: Instance["status"];
  readonly paused: boolean;
  /** Requests under way: a paused instance with none is at rest. */
  readonly inFlight: number;
  readonly reason: string | null;
  readonly rev: number;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  readonly deadlineAtMs: number | null;
  /** Of a child. */
  readonly parent?: NonNullable<SagaStart["parent"]>;
  readonly input: Json;
  readonly steps: readonly StepView[];
  readonly journal: readonly JournalRow[];
}

export interface StepView {
  readonly name: string;
  readonly kind: string;
  readonly state: Instance["steps"][number]["forward"];
  readonly compensation: Instance["steps"][number]["undo"];
  readonly attempts: number;
  readonly compensationAttempts: number;
  readonly startOrder: number | null;
  readonly dueAtMs: number | null;
  /** Why its target may not be called now. */
  readonly held: string | null;
  readonly output: Json;
  readonly error: string | null;
}

/** How an instance stands to its undo: under way, done, or why that cannot be. */
export type UndoAnswer =
  | { readonly kind: "undoing" | "undone" }
  | { readonly kind: "refused"; readonly detail: string };

/** What became of a callback; "unknown" when there is no such instance. */
export type CallbackAnswer = HeardBack["kind"] | "unknown";

export type CommandAnswer =
  | { readonly kind: "done"; readonly view: SagaView }
  | { readonly kind: "unknown" }
  | { readonly kind: "rev-differs"; readonly rev: number }
  /** Its id is that of another command, which made the row `rev`. */
  | { readonly kind: "id-taken"; readonly rev: number }
  | {
      readonly kind: "refused";
      readonly isState: boolean;
      readonly detail: string;
      readonly faults?: readonly Fault[];
    };

/** Another definition for an instance that runs. */
export interface MigrationOrder extends Pick<Command, "id" | "actor" | "reason"> {
  readonly version: number;
  readonly doc: SagaDoc;
  /** Only tells what is different, and what stands against it. */
  readonly dryRun: boolean;
}

export type MigrationAnswer =
  | CommandAnswer
  | (Migration & { readonly kind: "compared"; readonly rev: number; readonly version: number });

/** The instances themselves, wherever they are. An unknown id is an instance that was never started. */
export interface Sagas {
  start(start: SagaStart): Promise<{ readonly created: boolean; readonly view: SagaView }>;
  view(id: string): Promise<SagaView | null>;
  command(id: string, command: Command, expectedRev: number | undefined): Promise<CommandAnswer>;
  callback(address: CallbackAddress, outcome: Outcome): Promise<CallbackAnswer>;
  /** A child of this step has news. False when there is no such instance. */
  look(id: string, step: string): Promise<boolean>;
  /** Its parent wants undone what it did, also after it has completed. Again and again it is the same wish. */
  undo(id: string, reason: string): Promise<UndoAnswer>;
  migrate(
    id: string,
    order: MigrationOrder,
    expectedRev: number | undefined,
  ): Promise<MigrationAnswer>;
  /** Takes an event in, once; false when there is no such instance. */
  receive(id: string, eventId: string, event: Json): Promise<boolean>;
  /** Lets it go on if there is something to do. Answers when it was started; null when there is no such instance. */
  wake(id: string): Promise<number | null>;
  erase(id: string): Promise<void>;
}
