/** The door to D1: counts what every round trip costs, and wraps errors so that no parameter leaks. */
import { Retryable } from "../../core/errors.ts";
import type { Meter } from "../../ports/meter.ts";

export interface Statement {
  readonly sql: string;
  readonly params: readonly (string | number | null)[];
}

export type Row = Readonly<Record<string, string | number | null>>;

export interface Session {
  /** Runs all statements as one transaction in one round trip; answers their rows. */
  batch(operation: string, statements: readonly Statement[]): Promise<Row[][]>;
  /** One statement's rows. */
  rows(operation: string, sql: string, params: Statement["params"]): Promise<Row[]>;
}

export function createSession(db: D1Database, meter: Meter): Session {
  async function batch(operation: string, statements: readonly Statement[]): Promise<Row[][]> {
    if (statements.length === 0) return [];
    meter.add("d1_round_trips");
    try {
      const results = await db.batch<Row>(
        statements.map((statement) => db.prepare(statement.sql).bind(...statement.params)),
      );
      for (const { meta } of results) {
        meter.add("d1_rows_read", meta.rows_read);
        meter.add("d1_rows_written", meta.rows_written);
      }
      return results.map((result) => result.results);
    } catch (error) {
      throw storageError(operation, error);
    }
  }
  return {
    batch,
    rows: async (operation, sql, params) => (await batch(operation, [{ sql, params }]))[0] ?? [],
  };
}

/** The operation's name and D1's own words up to the first colon-separated detail, no parameters. */
function storageError(operation: string, error: unknown): Retryable {
  const message = error instanceof Error ? error.message : "unknown error";
  const known = /^(D1_[A-Z_]+|D1 DB [^:]*|Network connection lost)/.exec(message)?.[0];
  return new Retryable(`${operation}: ${known ?? "storage error"}`, 5_000, { cause: error });
}

type Value = Row[string] | undefined;
export const text = (value: Value): string => String(value ?? "");
export const number = (value: Value): number => Number(value ?? 0);
