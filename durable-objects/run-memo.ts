/** What a run keeps in the storage of its object: its job, and its alarm. */
import type { ReplayMemo } from "../src/flows/replay-run.ts";
import type { ReplayId } from "../src/ports/replays.ts";
import { setAlarm } from "./counted.ts";

export const runMemo = (storage: DurableObjectStorage): ReplayMemo => ({
  read: async () => (await storage.get<ReplayId>("replay")) ?? null,
  write: (replay) => storage.put("replay", replay),
  alarmMs: () => storage.getAlarm(),
  setAlarm: (atMs) => setAlarm(storage, atMs),
  async erase() {
    await storage.deleteAlarm();
    await storage.deleteAll();
  },
});
