/** How much memory the Worker's isolate holds, as the runtime's inspector tells. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Router } from "./router.ts";

export interface MemoryWatch {
  /** The most that any sample saw: the heap, buffers, and the runtime's own objects. */
  readonly peakBytes: number;
}

interface HeapUsage {
  readonly usedSize: number;
  readonly embedderHeapUsedSize: number;
  readonly backingStorageSize: number;
}

/** Samples a router that was started with `inspector` while `work` runs. */
export async function watchMemory(router: Router, work: () => Promise<void>): Promise<MemoryWatch> {
  const inspector = await connect(await router.inspectorUrl());
  let peakBytes = 0;
  let working = true;
  const sampling = (async () => {
    while (working) {
      const usage = await inspector.heapUsage();
      peakBytes = Math.max(
        peakBytes,
        usage.usedSize + usage.embedderHeapUsedSize + usage.backingStorageSize,
      );
      await sleep(10);
    }
  })();
  try {
    await work();
  } finally {
    working = false;
    await sampling;
    inspector.close();
  }
  return { peakBytes };
}

async function connect(base: URL) {
  const url = new URL("./core:user:signalbox", base);
  const socket = new WebSocket(url);
  const waiting = new Map<number, (usage: HeapUsage) => void>();
  let last = 0;
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error(`No inspector at ${url}`)));
  });
  return {
    heapUsage(): Promise<HeapUsage> {
      last += 1;
      socket.send(JSON.stringify({ id: last, method: "Runtime.getHeapUsage" }));
      return new Promise((resolve) => waiting.set(last, resolve));
    },
    close: () => socket.close(),
  };
}
