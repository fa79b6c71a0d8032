/** Numbers for rows, none of which is given twice: AUTOINCREMENT would write one more row for each. */
import { counted } from "./counted.ts";

/** Taken from the storage at once; an eviction forgets what is left of them. */
const LOT = 1_000;

/** Answers the next number at each call; the first is above `last` and above all it ever gave. */
export function createRowNumbers(sql: SqlStorage, last: number): () => number {
  sql.exec("CREATE TABLE IF NOT EXISTS numbers (id INTEGER PRIMARY KEY, taken INTEGER NOT NULL)");
  const [kept] = sql.exec<{ taken: number }>("SELECT taken FROM numbers").toArray();
  let taken = Math.max(last, kept?.taken ?? 0);
  let given = taken;
  return () => {
    if (given === taken) {
      taken += LOT;
      counted(sql, "INSERT OR REPLACE INTO numbers VALUES (1, ?1)", taken);
    }
    given += 1;
    return given;
  };
}
