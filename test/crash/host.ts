/**
 * The process that runs the router in a crash run, as `npm start` does, on a Worker that is built already.
 * It lives in a group of its own, and ends when the process that started it is gone.
 */
import { startEngine } from "../../src/local/engine.ts";

export interface HostOptions {
  readonly port: number;
  readonly stateDirectory: string;
  readonly buildDirectory: string;
  readonly vars: Readonly<Record<string, string>>;
}

export type HostMessage = { readonly enginePids: readonly number[] } | { readonly url: string };

const tell = (message: HostMessage): void => void process.send?.(message);

process.on("disconnect", () => process.exit(1));
if (!process.connected) process.exit(1); // it went while this was loaded
process.once("message", async (options: HostOptions) => {
  const { url } = await startEngine({
    ...options,
    onLine: (line) => console.error(line),
    onProcesses: (enginePids) => tell({ enginePids }),
  });
  tell({ url });
});
