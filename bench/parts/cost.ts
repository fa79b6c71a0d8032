/** What a million events cost at list prices, by the router's own counters at load. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Ground } from "../ground.ts";
import { type Generator, startGenerator } from "../load/generator.ts";
import { perEvent, readCounters } from "../measure/counters.ts";
import { type Options, progress, type Report } from "../part.ts";
import { startRouter } from "../systems.ts";
import type { Usage } from "./cost-model.ts";
import { costReport } from "./cost-report.ts";
import { refusals, send } from "./send.ts";

export interface Costed {
  readonly outbox: "on-failure" | "always";
  readonly atLoad: Usage;
  /** 50 events a second: messages and segments carry few of them. */
  readonly light: Usage;
}

const CONNECTIONS = 64;
const LIGHT_PER_SECOND = 50;
/** Never reached, but asked for: a tenant without limits costs less. */
const LIMIT = { eventsPerSecond: 20_000, burst: 20_000, overflow: "reject" };

export async function measureCost(options: Options): Promise<Report> {
  const ground = await options.ground();
  const generator = startGenerator();
  const failures: string[] = [];
  const costed: Costed[] = [];
  try {
    for (const outbox of ["on-failure", "always"] as const) {
      progress(`cost: outbox ${outbox}`);
      costed.push(await measure(outbox, ground, generator, options.quick, failures));
    }
  } finally {
    generator.stop();
  }
  return { title: "Cost", ...costReport(costed), failures };
}

async function measure(
  outbox: Costed["outbox"],
  ground: Ground,
  generator: Generator,
  quick: boolean,
  failures: string[],
): Promise<Costed> {
  const state = ground.routerState();
  const before = await bytesAtRest(state);
  const scene = { ...ground, routerState: () => state };
  const router = await startRouter({ name: `outbox ${outbox}`, outbox, consumer: "own" }, scene);
  let events = 0;
  const use = async (requests: number, perSecond: number | null) => {
    const [countersBefore, cpuBeforeMs] = [await readCounters(router), router.cpuMs()];
    const burst = { kind: "normal", connections: CONNECTIONS, perSecond, requests } as const;
    const outcome = await send(router, burst, generator);
    failures.push(...refusals(router.name, outcome));
    await router.drained(outcome.accepted);
    const cpuMs = (router.cpuMs() - cpuBeforeMs) / outcome.accepted.length;
    events += outcome.accepted.length;
    return { counters: perEvent(countersBefore, await readCounters(router)), cpuMs };
  };
  let used: Pick<Usage, "counters" | "cpuMs">[];
  try {
    await router.admin.put("tenants/bench", { limit: LIMIT });
    await use(quick ? 200 : 1_000, null); // warm-up
    used = [await use(quick ? 1_000 : 5_000, null), await use(quick ? 50 : 200, LIGHT_PER_SECOND)];
  } finally {
    await router.stop();
  }
  const after = await bytesAtRest(state);
  const kept = {
    ledgerBytes: (after.ledger - before.ledger) / events,
    archiveBytes: (after.archive - before.archive) / events,
  };
  const [atLoad, light] = used.map((usage) => ({ ...usage, ...kept }));
  if (atLoad === undefined || light === undefined) throw new Error("Nothing was measured.");
  return { outbox, atLoad, light };
}

/** Of a state directory that no router uses: the pages of its ledger and the objects of its archive. */
async function bytesAtRest(state: string) {
  const { DatabaseSync } = await import("node:sqlite"); // it warns when loaded
  const pageBytes = (name: string): number => {
    const database = new DatabaseSync(join(state, name));
    const { bytes } = database
      .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
      .get() as { bytes: number };
    database.close();
    return bytes;
  };
  const files = readdirSync(state, { recursive: true, encoding: "utf8" });
  const ledgers = files.filter(
    (name) => /d1\b.*\.sqlite$/.test(name) && !name.includes("metadata"),
  );
  const blobs = files.filter((name) => /r2\b.*blobs\b./.test(name));
  return {
    ledger: ledgers.reduce((sum, name) => sum + pageBytes(name), 0),
    archive: blobs.reduce((sum, name) => sum + statSync(join(state, name)).size, 0),
  };
}
