/** One runner, one config: projects from the fastest (pure) to the slowest (the built Worker over HTTP). */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

export default defineConfig({
  root,
  test: {
    root,
    reporters: ["default", "./test/support/closing-line.ts"],
    projects: [
      { root, test: { name: "core", include: ["test/{core,flows,tidy}/**/*.test.ts"] } },
      {
        root,
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["test/support/build-worker.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Each file runs an engine of its own, and there are two cores.
          maxWorkers: 2,
        },
      },
    ],
  },
});
