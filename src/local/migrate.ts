/** Brings the local database to the form that the Worker expects. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { ROOT } from "./paths.ts";

/**
 * Applies the migrations that this state has not seen, in the table wrangler uses for them, before the router
 * takes its port: whoever hears of it finds it ready. A file beside the database says when there is nothing to do.
 */
export async function migrate(d1Databases: unknown, stateDirectory: string): Promise<void> {
  const directory = join(ROOT, "migrations");
  const names = readdirSync(directory)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  const stamp = join(stateDirectory, "d1", "migrations-applied");
  const all = `${names.join("\n")}\n`;
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === all) return;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...{ name: "migrations", modules: true, script: "export default {}", d1Databases },
      ...{ host: "127.0.0.1", port: 0, cf: false, log: new Log(LogLevel.NONE) },
      resourcePersistencePath: stateDirectory,
    } as unknown as Parameters<typeof convertV4MiniflareOptions>[0]),
  );
  try {
    await applyMigrations(await miniflare.getD1Database("DB"), directory, names);
  } finally {
    await miniflare.dispose();
  }
  writeFileSync(stamp, all);
}

async function applyMigrations(
  db: Awaited<ReturnType<Miniflare["getD1Database"]>>,
  directory: string,
  names: readonly string[],
): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations (
         id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
         applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`,
    )
    .run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  for (const name of names) {
    if (applied.has(name)) continue;
    const statements = readFileSync(join(directory, name), "utf8").split(
      "--> statement-breakpoint",
    );
    await db.batch([
      ...statements.filter((sql) => sql.trim() !== "").map((sql) => db.prepare(sql)),
      db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
    ]);
  }
}
