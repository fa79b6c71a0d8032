/** Builds the Worker once for all test files that run it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { buildWorker } from "../../src/local/engine.ts";

export default function setup(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-build-"));
  buildWorker(directory);
  project.provide("buildDirectory", directory);
  return () => rmSync(directory, { recursive: true, force: true });
}
