/** SQL of a Durable Object, counted: each row written is billed, those of indexes and alarms included. */
import { meter } from "../src/compose.ts";

/** Runs the statement to its end; answers its rows. */
export function counted<Row extends Record<string, SqlStorageValue>>(
  sql: SqlStorage,
  statement: string,
  ...bindings: readonly unknown[]
): Row[] {
  const cursor = sql.exec<Row>(statement, ...bindings);
  const rows = cursor.toArray();
  meter.add("durable_object_rows_written", cursor.rowsWritten);
  return rows;
}

/** An alarm is a row written (Durable Objects pricing). */
export async function setAlarm(storage: DurableObjectStorage, atMs: number): Promise<void> {
  meter.add("durable_object_rows_written");
  await storage.setAlarm(atMs);
}

/** One value that is replaced as a whole is a row written. */
export async function put(
  storage: DurableObjectStorage,
  name: string,
  value: unknown,
): Promise<void> {
  meter.add("durable_object_rows_written");
  await storage.put(name, value);
}

/** As above, at once. */
export function putNow(storage: DurableObjectStorage, name: string, value: unknown): void {
  meter.add("durable_object_rows_written");
  storage.kv.put(name, value);
}
