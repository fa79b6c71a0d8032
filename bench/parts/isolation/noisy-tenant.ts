/** Ninety-nine tenants that send a little beside one that sends fifty times what it may. */
import type { Outcome, Sent } from "../../load/job.ts";
import { sum } from "../../measure/statistics.ts";
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { inPairs, judge, VERDICT_HEAD, verdictCells } from "./rounds.ts";
import { arrived, delays, load, OPEN_SOURCE, type Scene, startScene } from "./scene.ts";

/**
 * So that the noise is a hundred requests a second, and all of it half of the one thread that ingest, consumers and
 * stores share here: a thread that is full makes each tenant wait for any other, whatever a router does.
 */
const LIMIT = { eventsPerSecond: 2, burst: 4, overflow: "reject" } as const;
const NOISE = 50;
const QUIET_PER_SECOND = 20;
const GOAL = { share: 0.99, ratioMax: 1.2 } as const;
const JAIN_MIN = 0.99;
/** Tokens that isolates hold without a call: what one lease may carry over its life of a second. */
const LEASED_SECONDS = 1;
const WINDOWS_SECONDS = [1, 2, 5, 10, 30];

export async function measureNoisyTenant({ quick, rounds, ground }: Options): Promise<Report> {
  progress("quiet tenants beside a noisy one");
  const scene = await startScene("noisy tenant", await ground());
  const [measuring, disturbing] = scene.generators;
  const quiet = Array.from({ length: quick ? 20 : 99 }, (_, at) => `quiet-${at}`);
  try {
    for (const tenant of [...quiet, "noisy"]) await prepare(scene, tenant);
    const came = new Map<string, number>(quiet.map((tenant) => [tenant, 0]));
    const refused: Outcome["refused"][] = [];
    const paths = quiet.map((tenant) => `/in/${tenant}/open`);
    const seconds = quick ? 2 : 40;
    const round = async (): Promise<number[]> => {
      const pace = { paths, perSecond: QUIET_PER_SECOND, seconds };
      const outcome = await load(scene, measuring, pace);
      await arrived(scene, outcome.accepted);
      refused.push(outcome.refused);
      for (const { path } of outcome.accepted) count(came, path.split("/")[2] ?? "");
      return delays(scene, outcome.accepted);
    };
    await round(); // warm-up
    const noise: Sent[] = [];
    const measured = await inPairs(rounds, {
      alone: round,
      async beside() {
        const perSecond = LIMIT.eventsPerSecond * NOISE;
        const pace = { paths: ["/in/noisy/open"], perSecond, seconds };
        const disturbed = load(scene, disturbing, pace);
        const delayed = await round();
        noise.push(...(await disturbed).accepted);
        return delayed;
      },
    });
    const verdict = judge(measured, GOAL);
    const fairness = jain([...came.values()]);
    const turnedAway = sum(refused.flatMap(Object.values));
    const windows = WINDOWS_SECONDS.map((window) => ({
      ...{ window, most: mostIn(noise, window), may: admittedMax(window) },
    }));
    const above = windows.filter(({ most, may }) => most > may);
    return {
      title: "Noisy tenant",
      text: [
        table(
          [`${quiet.length} quiet tenants`, ...VERDICT_HEAD],
          [[`p99 beside one at ${NOISE} times its limit`, ...verdictCells(verdict)]],
        ),
        [
          `Quiet ones refused: ${turnedAway}. Jain's index of what came from them: ${figure(fairness, 4)}.`,
          `Of the noisy one ${figure(noise.length)} accepted; the most in any window, of what is stated: ` +
            `${windows.map(({ window, most, may }) => `${window} s ${most} of ${may}`).join(", ")}.`,
        ].join("\n"),
      ],
      data: { ...verdict, fairness, turnedAway, windows },
      failures: [
        ...(turnedAway > 0 ? [`${turnedAway} webhooks of quiet tenants were refused.`] : []),
        ...(fairness < JAIN_MIN ? [`Jain's index is ${figure(fairness, 4)}.`] : []),
        ...above.map(
          ({ window, most, may }) => `${most} in ${window} s, where ${may} are the most.`,
        ),
      ],
    };
  } finally {
    await scene.stop();
  }
}

async function prepare({ router, receivers }: Scene, tenant: string): Promise<void> {
  const path = `tenants/${tenant}`;
  await router.admin.put(path, { limit: LIMIT });
  await router.admin.put(`${path}/sources/open`, OPEN_SOURCE);
  const url = receivers.url("well", tenant);
  await router.admin.put(`${path}/targets/own`, { kind: "http", url });
  await router.admin.put(`${path}/rules/all`, {
    ...{ pattern: { source: ["open"] }, priority: "normal", targets: ["own"] },
  });
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** 1 when all have the same, 1/n when one has all (Jain, Chiu, Hawe 1984). */
function jain(values: readonly number[]): number {
  return sum(values) ** 2 / (values.length * sum(values.map((value) => value ** 2)));
}

/** The most that were accepted in any window of that length. */
function mostIn(accepted: readonly Sent[], seconds: number): number {
  const times = accepted
    .map(({ answeredAtMs }) => answeredAtMs)
    .sort((left, right) => left - right);
  let most = 0;
  let from = 0;
  for (let to = 0; to < times.length; to += 1) {
    while ((times[to] ?? 0) - (times[from] ?? 0) > seconds * 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}

const admittedMax = (seconds: number): number =>
  LIMIT.burst + LIMIT.eventsPerSecond * (seconds + LEASED_SECONDS);
