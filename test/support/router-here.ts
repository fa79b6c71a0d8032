/** Routers and state that last as long as the running test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Router, type RouterOptions, startRouter } from "./router.ts";

/** An empty directory for what several routers of one test go on with, one after the other. */
export function stateHere(): string {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-state-"));
  // What was started on it is stopped first: the last one registered runs first.
  onTestFinished(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** May be stopped earlier, so that another goes on with its state. */
export async function routerHere(options: RouterOptions = {}): Promise<Router> {
  const router = await startRouter(options);
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopping ??= router.stop();
    return stopping;
  };
  onTestFinished(stop);
  return { ...router, stop };
}
