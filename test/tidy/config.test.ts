/** What stands twice agrees: wrangler.toml and the code, package.json, documents, migrations. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { QUEUES } from "../../src/core/priority.ts";
import { CONSUMER_SETTINGS } from "../../src/core/queue-settings.ts";
import { VERSION } from "../../src/core/version.ts";
import { readToml, type Table } from "./toml.ts";
import { filesIn, ROOT, readText, WORKER_FOLDERS } from "./tree.ts";

const wrangler = readToml(readText("wrangler.toml"));
const manifest = JSON.parse(readText("package.json")) as {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
};

const textsOf = (tables: readonly Table[], key: string): string[] =>
  tables.map((table) => String(table[key])).toSorted();
const sorted = (names: Iterable<string>): string[] => [...names].toSorted();
const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name = ""]) => name);

describe("wrangler.toml", () => {
  const consumers = wrangler.tables("queues.consumers");
  const producers = wrangler.tables("queues.producers");

  it("has a queue for each priority and one for replays, bound by its name", () => {
    expect(producers).toEqual(
      QUEUES.map((priority) => ({
        binding: `QUEUE_${priority.toUpperCase()}`,
        queue: `signalbox-${priority}`,
      })),
    );
  });

  it.each(QUEUES)("settles the consumer of %s as the code says", (priority) => {
    const settings = CONSUMER_SETTINGS[priority];
    expect(consumers.filter(({ queue }) => queue === `signalbox-${priority}`)).toEqual([
      {
        queue: `signalbox-${priority}`,
        max_batch_size: settings.maxBatchSize,
        max_batch_timeout: settings.maxBatchTimeout,
        max_retries: settings.maxRetries,
        max_concurrency: settings.maxConcurrency,
        dead_letter_queue: "signalbox-dead",
      },
    ]);
  });

  it("says all four numbers of every consumer, and consumes what is dead", () => {
    expect(consumers.length).toBeGreaterThan(3);
    for (const consumer of consumers) {
      expect(consumer).toMatchObject({
        max_batch_size: expect.any(Number),
        max_batch_timeout: expect.any(Number),
        max_retries: expect.any(Number),
        max_concurrency: expect.any(Number),
      });
    }
    const consumed = textsOf(consumers, "queue");
    for (const { dead_letter_queue: dead } of consumers) {
      if (dead !== undefined) expect(consumed).toContain(dead);
    }
  });

  it("consumes the queues that the queue door knows, and no others", () => {
    const known = all(readText("consumers/index.ts"), /^ {2}"(signalbox-[a-z]+)":/gm);
    expect(known.length).toBeGreaterThan(3);
    expect(textsOf(consumers, "queue")).toEqual(sorted(known));
  });

  it("binds what the code asks for, and nothing else", () => {
    const env = /interface Env \{([^}]*)\}/.exec(readText("src/env.ts"))?.[1] ?? "";
    const bound = all(env, /readonly (\w+): (?:D1Database|R2Bucket|Queue|DurableObject)/g);
    expect(bound.length).toBeGreaterThan(5);
    const bindings = [
      ...textsOf(wrangler.tables("d1_databases"), "binding"),
      ...textsOf(wrangler.tables("r2_buckets"), "binding"),
      ...textsOf(producers, "binding"),
      ...textsOf(wrangler.tables("durable_objects.bindings"), "name"),
    ];
    expect(sorted(bindings)).toEqual(sorted(bound));
  });

  it("names the Durable Objects that the Worker exports, each with its storage", () => {
    const exported = all(
      readText("src/index.ts"),
      /^export \{ (\w+) \} from "\.\.\/durable-objects\//gm,
    );
    expect(exported.length).toBeGreaterThan(1);
    expect(textsOf(wrangler.tables("durable_objects.bindings"), "class_name")).toEqual(
      sorted(exported),
    );
    const made = wrangler
      .tables("migrations")
      .flatMap(({ new_sqlite_classes: classes }) => classes as readonly string[]);
    expect(sorted(made)).toEqual(sorted(exported));
  });

  it("lets the sweeper run, and keeps private addresses out", () => {
    expect(wrangler.table("triggers")).toEqual({ crons: ["* * * * *"] });
    expect(wrangler.root).toMatchObject({
      name: "signalbox",
      main: "src/index.ts",
      compatibility_flags: expect.arrayContaining(["global_fetch_strictly_public"]),
      send_metrics: false,
    });
  });

  it("holds no id of an account, so that anyone may deploy it", () => {
    expect(readText("wrangler.toml")).not.toMatch(/account_id|database_id|[0-9a-f]{32}/);
  });
});

describe("package.json", () => {
  const runner = readText("src/local/run.mjs");
  const tasks = all(runner, /^ {2}(\w+): \(\) => \[/gm);

  it("has the version that the program tells", () => {
    expect(VERSION).toBe(manifest.version);
  });

  it("has a script for each task of the runner, and nothing else", () => {
    expect(tasks.length).toBeGreaterThan(6);
    expect(sorted(Object.keys(manifest.scripts))).toEqual(sorted(tasks));
    for (const [name, command] of Object.entries(manifest.scripts)) {
      expect(command).toBe(`node src/local/run.mjs ${name}`);
    }
  });

  it("runs programs that are there", () => {
    const programs = all(runner, /join\(root, "([^"]+\.ts)"\)/g);
    expect(programs.length).toBeGreaterThan(3);
    expect(programs.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe("documentation", () => {
  const documents = ["README.md", "src/README.md", "test/README.md"].concat(
    readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md"))
      .map((path) => `docs/${path}`),
  );

  it("names scripts that are there", () => {
    const named = documents.flatMap((path) =>
      all(readText(path), /`npm (?:run )?([a-z]+)/g)
        .filter((script) => !["install", "ci"].includes(script))
        .map((script) => [path, script] as const),
    );
    expect(named.length).toBeGreaterThan(8);
    expect(named.filter(([, script]) => !(script in manifest.scripts))).toEqual([]);
  });

  it("points to files that are there", () => {
    const links = documents.flatMap((path) =>
      all(readText(path), /\]\((?!https?:|#)([^)#\s]+)/g).map((to) => join(dirname(path), to)),
    );
    expect(links.length).toBeGreaterThan(3);
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it("says of every test what it proves, and of none that is not there", () => {
    const cells = all(readText("test/README.md"), /^\| (`[^|]+`) \|/gm);
    const named = cells.flatMap((cell) => all(cell, /`([^`]+)`/g));
    expect(named.length).toBeGreaterThan(20);
    const patterns = named.map((name) => {
      const escaped = name.replace(/[.]/g, "\\.").replaceAll("*", "[^/]*");
      return new RegExp(`^test/${escaped}${name.endsWith("/") ? ".*" : "$"}`);
    });
    const tests = filesIn("test")
      .map(({ path }) => path)
      .filter((path) => path.endsWith(".test.ts"));
    const nothing = patterns.filter((pattern) => !tests.some((path) => pattern.test(path)));
    expect(nothing).toEqual([]);
    expect(tests.filter((path) => !patterns.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  it("explains every line that the log may hold, and none that it never does", () => {
    const logged = filesIn(...WORKER_FOLDERS).flatMap(({ text }) =>
      all(text, /\b(?:log|consoleLog)\.(?:info|warn|error)\(\s*"([^"]+)"/g),
    );
    expect(logged.length).toBeGreaterThan(20);
    const page = readText("docs/operations.md");
    const explained = all(page, /^\| `([a-z-]+)` \| (?:info|warn|error) \|/gm);
    expect(sorted(explained)).toEqual(sorted(new Set(logged)));
  });

  it("explains every script in README.md", () => {
    const readme = readText("README.md");
    const silent = Object.keys(manifest.scripts).filter(
      (script) => !new RegExp(`npm (run )?${script}\\b`).test(readme),
    );
    expect(silent).toEqual([]);
  });
});

describe("migrations", () => {
  const migrations = readdirSync(join(ROOT, "migrations")).filter((path) => path.endsWith(".sql"));

  it("make only tables without a row id, which would cost another row of every write", () => {
    expect(migrations.length).toBeGreaterThan(0);
    const statements = migrations.flatMap((path) =>
      readText(`migrations/${path}`)
        .split("--> statement-breakpoint")
        .filter((sql) => /CREATE TABLE/i.test(sql)),
    );
    expect(statements.length).toBeGreaterThan(5);
    for (const sql of statements) expect(sql.trim()).toMatch(/\) WITHOUT ROWID;$/);
  });

  it("are numbered without a gap", () => {
    const numbers = migrations.toSorted().map((path) => Number(path.slice(0, 4)));
    expect(numbers).toEqual(migrations.map((_, index) => index));
  });
});
