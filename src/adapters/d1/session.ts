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
}

export function createSession(db: D1Database, meter: Meter): Session {
  return {
    async batch(operation, statements) {
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
    },
  };
}

/** The operation's name and D1's own words up to the first colon-separated detail, no parameters. */
export function storageError(operation: string, error: unknown): Retryable {
  // drizzle puts the query and its parameters into its message, and D1's own error into the cause.
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = inner instanceof Error ? inner.message : "unknown error";
  const known = /^(D1_[A-Z_]+|D1 DB [^:]*|Network connection lost)/.exec(message)?.[0];
  return new Retryable(`${operation}: ${known ?? "storage error"}`, 5_000, { cause: inner });
}

export const text = (value: string | number | null | undefined): string => String(value ?? "");
export const number = (value: string | number | null | undefined): number => Number(value ?? 0);

/** The query's answer; its error named by the operation, without the parameters drizzle writes into it. */
export async function named<T>(operation: string, query: PromiseLike<T>): Promise<T> {
  try {
    return await query;
  } catch (error) {
    throw storageError(operation, error);
  }
}
