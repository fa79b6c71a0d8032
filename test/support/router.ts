/** A running router for a test: the built Worker on the local engine, with state and secrets of its own. */
import { rmSync } from "node:fs";
import { inject } from "vitest";
import { type Admin, createAdmin } from "../../src/local/admin.ts";
import { type Engine, startEngine } from "../../src/local/engine.ts";
import { randomVars } from "../../src/local/vars.ts";
import { preparedState } from "./state.ts";

export interface Router {
  readonly url: string;
  readonly admin: Admin;
  readonly vars: Readonly<Record<string, string>>;
  readonly stateDirectory: string;
  /** What the Worker logged, one JSON object a line. */
  readonly lines: string[];
  sweep(): Promise<void>;
  /** Puts a message into the queue of normal events that nothing can read. */
  enqueuePoison(bytes: Uint8Array): Promise<void>;
  inspectorUrl(): Promise<URL>;
  /** Sends a webhook. */
  send(path: string, init?: RequestInit): Promise<Response>;
  stop(): Promise<void>;
}

export interface RouterOptions {
  readonly vars?: Readonly<Record<string, string>>;
  /** State of an earlier router, to go on with; kept when this one stops. */
  readonly stateDirectory?: string;
  /** Opens the runtime's inspector. */
  readonly inspector?: boolean;
}

export async function startRouter(options: RouterOptions = {}): Promise<Router> {
  const stateDirectory = options.stateDirectory ?? preparedState();
  const vars = { ...randomVars(), ...options.vars };
  const lines: string[] = [];
  const engine: Engine = await startEngine({
    port: 0,
    stateDirectory,
    vars,
    buildDirectory: inject("buildDirectory"),
    onLine: (line) => void lines.push(line),
    ...(options.inspector === undefined ? {} : { inspector: options.inspector }),
  });
  return {
    url: engine.url,
    admin: createAdmin(engine.url, vars["ADMIN_TOKEN"] ?? ""),
    vars,
    stateDirectory,
    lines,
    sweep: () => engine.sweep(),
    enqueuePoison: (bytes) => engine.enqueue("QUEUE_NORMAL", bytes),
    inspectorUrl: () => engine.inspectorUrl(),
    send: (path, init) => fetch(`${engine.url}/in/${path}`, { method: "POST", ...init }),
    async stop() {
      await engine.stop();
      if (options.stateDirectory === undefined) {
        rmSync(stateDirectory, { recursive: true, force: true });
      }
    },
  };
}
