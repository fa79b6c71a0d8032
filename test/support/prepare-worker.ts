/** Builds the Worker and makes a state with all tables, once for all test files that run it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startEngine } from "../../src/local/engine.ts";
import { randomVars } from "../../src/local/vars.ts";

export default async function setup(project: TestProject): Promise<() => void> {
  const stateDirectory = mkdtempSync(join(tmpdir(), "signalbox-prepared-"));
  const engine = await startEngine({ port: 0, stateDirectory, vars: randomVars() });
  await engine.stop();
  project.provide("preparedState", stateDirectory);
  project.provide("buildDirectory", join(stateDirectory, "build"));
  return () => rmSync(stateDirectory, { recursive: true, force: true });
}
