/** State directories for routers: what all of them begin with is made once. */
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** A state with the Worker built and all tables, for copies of it. */
    readonly preparedState: string;
    /** Where the Worker was built. */
    readonly buildDirectory: string;
  }
}

/** One that no router has seen. */
export const emptyState = (): string => mkdtempSync(join(tmpdir(), "signalbox-test-"));

/** One with nothing but the built Worker. */
export function builtState(): string {
  const directory = emptyState();
  cpSync(inject("buildDirectory"), join(directory, "build"), { recursive: true });
  return directory;
}

/** One in which a router has been started and ended; tests of what that does take an empty one. */
export function preparedState(): string {
  const directory = emptyState();
  cpSync(inject("preparedState"), directory, { recursive: true });
  return directory;
}
