/** One runner, one config: projects from the fastest (pure) to the slowest (the built Worker over HTTP). */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig, type TestProjectConfiguration } from "vitest/config";
import { randomVars } from "../src/local/vars.ts";
import { LongestFirst } from "./support/longest-first.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

// wrangler reads .dev.vars too and says so for every file; the variables of these tests are their own.
process.env.WRANGLER_LOG ??= "error";

const ADAPTERS = "test/adapters/**/*.test.ts";
/** These move the time of the whole ledger on. */
const ALONE = ["test/adapters/expire.test.ts", "test/adapters/ledger-generations.test.ts"];

/** In workerd, with the bindings of wrangler.toml: what our own code sees of D1, R2 and Durable Objects. */
const adapters = (name: string, files: TestFiles): TestProjectConfiguration => ({
  root,
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: join(root, "wrangler.toml") },
      miniflare: {
        bindings: {
          ...randomVars(),
          TEST_MIGRATIONS: await readD1Migrations(join(root, "migrations")),
        },
        // What targets of kind queue and service name.
        queueProducers: { TARGET_QUEUE_ORDERS: { queueName: "orders" } },
        serviceBindings: { TARGET_SERVICE_BILLING: "neighbour" },
        workers: [
          {
            ...{ name: "neighbour", modules: true, compatibilityDate: "2026-10-23" },
            scriptPath: join(root, "test/support/neighbour.mjs"),
            queueConsumers: { orders: { maxBatchTimeout: 0 } },
          },
        ],
      },
    })),
  ],
  test: {
    ...{ name, testTimeout: 60_000, setupFiles: ["test/adapters/setup.ts"], ...files },
    sequence: { groupOrder: files.isolate ? 1 : 2 },
  },
});

/** There are two cores, and of three files one mostly waits: for an engine to start, or for a retry's time. */
const WORKERS = 3;

interface TestFiles {
  readonly isolate: boolean;
  readonly include: string[];
  readonly exclude?: string[];
}

export default defineConfig({
  root,
  test: {
    root,
    reporters: ["default", "./test/support/closing-line.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        root,
        test: {
          name: "core",
          // Pure: no file leaves anything behind for the next, and each need not read all modules anew.
          isolate: false,
          maxWorkers: WORKERS,
          // Properties have many runs, and machines are busy: how long is no finding.
          testTimeout: 60_000,
          include: [
            "test/{core,flows,simulation,tidy}/**/*.test.ts",
            "test/crash/**/verdict.test.ts",
          ],
        },
      },
      // Each test has a tenant of its own; a runtime for each file would take longer than its tests.
      adapters("adapters", { isolate: false, include: [ADAPTERS], exclude: ALONE }),
      adapters("generations", { isolate: true, include: ALONE }),
      {
        root,
        test: {
          name: "worker",
          // A process for each file would read Miniflare anew for each; routers are the files' own anyway.
          isolate: false,
          include: ["test/worker/**/*.test.ts", "test/crash/**/crash.test.ts"],
          globalSetup: ["test/support/prepare-worker.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: WORKERS,
        },
      },
    ],
  },
});
