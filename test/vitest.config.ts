/** One runner, one config: projects from the fastest (pure) to the slowest (the built Worker over HTTP). */
import { defineConfig } from "vitest/config";

const root = new URL("..", import.meta.url).pathname;

export default defineConfig({
  test: {
    root,
    projects: [
      {
        root,
        test: { name: "core", include: ["test/core/**/*.test.ts"], environment: "node" },
      },
    ],
  },
});
