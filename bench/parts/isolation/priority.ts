/** Urgent events while a hundred thousand others wait. */
import type { Sent } from "../../load/job.ts";
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { sendEvents } from "./fill.ts";
import { inRounds, judge, VERDICT_HEAD, verdictCells } from "./rounds.ts";
import { arrived, delays, load, OPEN_SOURCE, type Scene, startScene } from "./scene.ts";

const PER_SECOND = 50;
/** More than the router takes: each connection sends as soon as it is answered. */
const FLOOD_PER_SECOND = 1_000;
const GOALS = [
  { share: 0.5, ratioMax: 1.1 },
  { share: 0.99, ratioMax: 1.5 },
] as const;

export async function measurePriority({ quick, rounds, ground }: Options): Promise<Report> {
  const scene = await startScene("priority", await ground());
  try {
    await prepare(scene);
    const roundOf = (perSecond: number, seconds: number) => async (): Promise<number[]> => {
      const [generator] = scene.generators;
      const paths = ["/in/urgent/critical"];
      const sent: readonly Sent[] = (await load(scene, generator, { paths, perSecond, seconds }))
        .accepted;
      await arrived(scene, sent);
      return delays(scene, sent);
    };
    const steady = roundOf(PER_SECOND, quick ? 2 : 10);
    const flood = roundOf(FLOOD_PER_SECOND, quick ? 1 : 5);
    const rows: string[][] = [];
    const data: object[] = [];
    const failures: string[] = [];
    const bulk = quick ? 5_000 : 100_000;
    const normal = quick ? 1_000 : 20_000;
    for (const [name, queued, round] of [
      [`${PER_SECOND}/s beside bulk`, { bulk }, steady],
      [`${PER_SECOND}/s beside normal and bulk`, { normal, bulk }, steady],
      ["all that is taken, beside normal and bulk", { normal, bulk }, flood],
    ] as const) {
      progress(`critical, ${name}`);
      await round(); // warm-up
      let left = { before: 0, after: 0 };
      const measured = await inRounds(rounds, round, async (measure) => {
        await rest(scene, "resume");
        for (const [priority, count] of Object.entries(queued))
          await sendEvents(scene.router, `/in/urgent/${priority}`, count);
        await round(); // warm-up
        const before = await backlog(scene);
        await measure();
        left = { before, after: await backlog(scene) };
        await rest(scene, "pause");
      });
      if (left.after === 0 && !quick) {
        failures.push(`What was queued did not last for all rounds: critical, ${name}.`);
      }
      for (const goal of GOALS) {
        const verdict = judge(measured, goal);
        rows.push([`p${goal.share * 100}, ${name}`, ...verdictCells(verdict)]);
        data.push({ name, left, ...verdict });
      }
      rows.push([
        `  waiting at the start and at the end: ${figure(left.before)}, ${figure(left.after)} messages`,
      ]);
    }
    return {
      title: "Priority",
      text: [table(["critical: accepted to delivered", ...VERDICT_HEAD], rows)],
      data: { measured: data },
      failures,
    };
  } finally {
    await scene.stop();
  }
}

async function prepare({ router, receivers }: Scene): Promise<void> {
  const tenant = "tenants/urgent";
  await router.admin.put(tenant, {});
  for (const priority of ["critical", "normal", "bulk"]) {
    await router.admin.put(`${tenant}/sources/${priority}`, OPEN_SOURCE);
    const url = receivers.url("well", priority);
    await router.admin.put(`${tenant}/targets/${priority}`, { kind: "http", url });
    await router.admin.put(`${tenant}/rules/${priority}`, {
      ...{ pattern: { source: [priority] }, priority, targets: [priority] },
    });
  }
}

/** Messages in the queues, each of which carries many events. */
async function backlog({ router }: Scene): Promise<number> {
  const { items } = (await router.admin.get("queues")).body;
  return items.reduce((sum: number, queue: { backlog: number }) => sum + queue.backlog, 0);
}

/** What waits rests where it is, so that critical events are alone; to work it off would take minutes. */
async function rest({ router }: Scene, command: "pause" | "resume"): Promise<void> {
  for (const priority of ["normal", "bulk"])
    await router.admin.post(`queues/${priority}/${command}`);
  await new Promise((resolve) => setTimeout(resolve, RESTS_AFTER_MS));
}

/** A pause holds within a second, and what was being sent then ends. */
const RESTS_AFTER_MS = 3_000;
