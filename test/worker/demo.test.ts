/** `npm run demo`, as a visitor runs it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../tidy/tree.ts";

/** Seconds, on a machine that has nothing else to do. */
const TIMEOUT_MS = 240_000;

it("shows an order that completes, one that is undone, and ends well", {
  timeout: TIMEOUT_MS,
}, async () => {
  const child = spawn(process.execPath, [join(ROOT, "src/local/demo.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill());
  const [said, [status]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(status, said).toBe(0);
  expect(said).toMatch(/5 of 5 deliveries came, 5 with a signature/);
  expect(said).toMatch(/step +authorise pay\/authorise .*: 402\nundo +reserve/);
  expect(said.match(/^ +COMP[A-Z]+/gm)?.map((status) => status.trim())).toEqual([
    ...["COMPLETED", "COMPENSATED"],
  ]);
});
