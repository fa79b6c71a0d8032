/** Urgent events while a hundred thousand others wait. */
import { sum } from "../../measure/statistics.ts";
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { rest, sendEvents } from "./fill.ts";
import { amongOthers, inPairs, judge, URGENT_GOALS, VERDICT_HEAD, verdictCells } from "./rounds.ts";
import { arrived, delays, type Load, load, OPEN_SOURCE, type Scene, startScene } from "./scene.ts";

const PER_SECOND = 50;
/**
 * More than fill the thread, and no more at any time: of what comes on a schedule faster than it is delivered, each
 * waits longer than the one before, and how long says how long the bench ran.
 */
const UNDER_WAY = 128;

export async function measurePriority({ quick, rounds, ground }: Options): Promise<Report> {
  const scene = await startScene("priority", await ground());
  try {
    await prepare(scene);
    const roundOf = (pace: Load) => async (): Promise<number[]> => {
      const { accepted } = await load(scene, scene.generators[0], pace);
      await arrived(scene, accepted);
      return delays(scene, accepted);
    };
    const paths = ["/in/urgent/critical"];
    const steady = roundOf({ paths, perSecond: PER_SECOND, seconds: quick ? 2 : 20 });
    const saturated = roundOf({ paths, underWay: UNDER_WAY, seconds: quick ? 1 : 5 });
    const rows: string[][] = [];
    const notes: string[] = [];
    const data: object[] = [];
    const failures: string[] = [];
    const bulk = quick ? 5_000 : 100_000;
    const normal = quick ? 1_000 : 60_000;
    for (const [name, queued, round, pairs] of [
      [`${PER_SECOND}/s beside bulk`, { bulk }, steady, rounds],
      [`${PER_SECOND}/s beside normal and bulk`, { normal, bulk }, steady, rounds],
      // As long a time in shorter rounds: here the speed of the machine is what varies.
      [`${UNDER_WAY} under way, beside normal and bulk`, { normal, bulk }, saturated, 2 * rounds],
    ] as const) {
      progress(`critical, ${name}`);
      const names = Object.keys(queued);
      await rest(scene.router, "resume");
      for (const [priority, count] of Object.entries(queued))
        await sendEvents(scene.router, `/in/urgent/${priority}`, count);
      await round(); // warm-up
      const before = await backlogs(scene, names);
      await rest(scene.router, "pause");
      const othersSoFar = () =>
        sum(names.map((one) => scene.receivers.attempts.get(one)?.length ?? 0));
      const beside = amongOthers(round, othersSoFar);
      const measured = await inPairs(pairs, {
        ...{ alone: round, beside: beside.round },
        begin: () => rest(scene.router, "resume"),
        end: () => rest(scene.router, "pause"),
      });
      const left = { before, after: await backlogs(scene, names) };
      if (!left.after.every((messages) => messages > 0) && !quick) {
        failures.push(`What was queued did not last for all rounds: critical, ${name}.`);
      }
      for (const goal of URGENT_GOALS) {
        const verdict = judge(measured, goal);
        rows.push([`p${goal.share * 100}, ${name}`, ...verdictCells(verdict)]);
        data.push({ name, left, othersPerSecond: beside.othersPerSecond(), ...verdict });
      }
      const messages = [left.before, left.after].map((all) =>
        all.map((one) => figure(one)).join(" + "),
      );
      notes.push(
        `${name}: ${figure(beside.othersPerSecond())} others a second were delivered meanwhile; ` +
          `messages that waited at the start and at the end: ${messages.join(", ")}.`,
      );
    }
    return {
      title: "Priority",
      text: [table(["critical: accepted to delivered", ...VERDICT_HEAD], rows), notes.join("\n")],
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

/** Messages in these queues, each of which carries many events. */
async function backlogs({ router }: Scene, names: readonly string[]): Promise<number[]> {
  const { items } = (await router.admin.get("queues")).body;
  const known = new Map<string, number>(items.map((each: Queue) => [each.priority, each.backlog]));
  return names.map((name) => known.get(name) ?? Number.NaN);
}

interface Queue {
  readonly priority: string;
  readonly backlog: number;
}
