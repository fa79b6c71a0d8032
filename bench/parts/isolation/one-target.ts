/** Critical events while bulk ones wait for a slot of the same target. */
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { rest, sendEvents } from "./fill.ts";
import { amongOthers, inPairs, judge, URGENT_GOALS, VERDICT_HEAD, verdictCells } from "./rounds.ts";
import { arrived, delays, load, OPEN_SOURCE, type Scene, startScene } from "./scene.ts";

/** Fewer than a batch has connections, so that bulk events alone would take them all. */
const SLOTS = 4;
/** A batch of the local engine waits for the one before it: so few that none has to. */
const PER_SECOND = 10;

export async function measureOneTarget({ quick, rounds, ground }: Options): Promise<Report> {
  progress("critical and bulk events to one target");
  const scene = await startScene("one target", await ground());
  try {
    await prepare(scene);
    let critical = 0;
    const pace = { paths: ["/in/shared/critical"], perSecond: PER_SECOND, seconds: quick ? 2 : 20 };
    const round = async (): Promise<number[]> => {
      const { accepted } = await load(scene, scene.generators[0], pace);
      await arrived(scene, accepted);
      critical += accepted.length;
      return delays(scene, accepted);
    };
    const came = () => (scene.receivers.attempts.get("one")?.length ?? 0) - critical;
    const queued = quick ? 500 : 25_000;
    await sendEvents(scene.router, "/in/shared/bulk", queued);
    await round(); // warm-up
    await rest(scene.router, "pause");
    const beside = amongOthers(round, came);
    const measured = await inPairs(rounds, {
      ...{ alone: round, beside: beside.round },
      begin: () => rest(scene.router, "resume"),
      end: () => rest(scene.router, "pause"),
    });
    const perSecond = beside.othersPerSecond();
    const left = queued - came();
    const verdicts = URGENT_GOALS.map((goal) => judge(measured, goal));
    return {
      title: "One target",
      text: [
        table(
          ["critical: accepted to delivered", ...VERDICT_HEAD],
          verdicts.map((verdict) => [
            `p${verdict.goal.share * 100}, ${PER_SECOND}/s beside bulk to the same ${SLOTS} slots`,
            ...verdictCells(verdict),
          ]),
        ),
        `Of ${figure(queued)} bulk events ${figure(perSecond)} a second were delivered meanwhile; ${figure(left)} were left.`,
      ],
      data: { verdicts, perSecond, left },
      failures: left > 0 || quick ? [] : ["What was queued did not last for all rounds."],
    };
  } finally {
    await scene.stop();
  }
}

async function prepare({ router, receivers }: Scene): Promise<void> {
  const tenant = "tenants/shared";
  await router.admin.put(tenant, {});
  const url = receivers.url("slow", "one");
  await router.admin.put(`${tenant}/targets/one`, {
    ...{ kind: "http", url, gate: { concurrency: SLOTS } },
  });
  for (const priority of ["critical", "bulk"]) {
    await router.admin.put(`${tenant}/sources/${priority}`, OPEN_SOURCE);
    await router.admin.put(`${tenant}/rules/${priority}`, {
      ...{ pattern: { source: [priority] }, priority, targets: ["one"] },
    });
  }
}
