/** Sixteen healthy targets beside one that hangs, one that asks to wait, one that fails and one that drips. */
import type { Outcome } from "../../load/job.ts";
import { quantile } from "../../measure/statistics.ts";
import { figure, table } from "../../measure/table.ts";
import { type Options, progress, type Report } from "../../part.ts";
import { inRounds, judge, VERDICT_HEAD, verdictCells } from "./rounds.ts";
import {
  arrived,
  BUSY_SECONDS,
  type Came,
  delays,
  load,
  type Manner,
  OPEN_SOURCE,
  type Scene,
  startScene,
} from "./scene.ts";

const BAD: readonly Manner[] = ["hangs", "busy", "broken", "drips"];
const HEALTHY = Array.from({ length: 16 }, (_, at) => `healthy-${at}`);
/** Of each target. */
const PER_SECOND = 2;
const GOAL = { share: 0.99, ratioMax: 1.3 } as const;
/** How late a receiver that asked to wait may be asked again, and how seldom one that fails is tried. */
const LATE_SECONDS_MAX = 2;
const PROBE_SECONDS_MIN = 30;
const RETRY = { delaysSeconds: Array.from({ length: 30 }, () => 5) };

export async function measureBadTargets({ quick, rounds, ground }: Options): Promise<Report> {
  progress("healthy targets beside bad ones");
  const scene = await startScene("bad targets", await ground());
  const [measuring, disturbing] = scene.generators;
  const path = (target: string): string => `/in/mixed/${target}`;
  try {
    await prepare(scene);
    const seconds = quick ? 2 : 15;
    const round = async (): Promise<number[]> => {
      const paths = HEALTHY.map(path);
      const perSecond = PER_SECOND * HEALTHY.length;
      const { accepted } = await load(scene, measuring, { paths, perSecond, seconds });
      await arrived(scene, accepted);
      return delays(scene, accepted);
    };
    await round(); // warm-up
    let owed: Outcome | undefined;
    let unknown: readonly number[] = [];
    const measured = await inRounds(rounds, round, async (measure) => {
      const perSecond = PER_SECOND * BAD.length;
      const beside = load(scene, disturbing, {
        ...{ paths: BAD.map(path), perSecond, seconds: (rounds + 1) * seconds },
      });
      unknown = await round(); // warm-up, in which each one that hangs is found out
      await measure();
      owed = await beside;
    });
    const verdict = judge(measured, GOAL);
    const kept = await keptInLedger(scene);
    const lost = (owed?.accepted.length ?? 0) - kept;
    const waits = await waitsOf(scene, quick);
    return {
      title: "Bad targets",
      text: [
        table(
          [`${HEALTHY.length} healthy of 20 targets`, ...VERDICT_HEAD],
          [["p99 beside the bad ones", ...verdictCells(verdict)]],
        ),
        [
          `While the bad ones were found out, in the round before: p99 ${figure(quantile(unknown, 0.99), 1)} ms.`,
          `Owed to the bad ones: ${figure(owed?.accepted.length ?? 0)}, in the ledger ${figure(kept)}.`,
          `Retry-After of ${BUSY_SECONDS} s: ${waits.early} tried early, the latest ${figure(waits.lateSeconds, 1)} s late.`,
          `The one that fails, once left alone: tried ${waits.probes} times, at least ${figure(waits.probeSeconds, 1)} s apart.`,
        ].join("\n"),
      ],
      data: { ...verdict, lost, ...waits },
      failures: failuresOf(lost, waits, quick),
    };
  } finally {
    await scene.stop();
  }
}

async function prepare({ router, receivers }: Scene): Promise<void> {
  const tenant = "tenants/mixed";
  await router.admin.put(tenant, {});
  const targets = [
    ...HEALTHY.map((name) => ["well", name] as const),
    ...BAD.map((name) => [name, name] as const),
  ];
  for (const [manner, name] of targets) {
    await router.admin.put(`${tenant}/sources/${name}`, OPEN_SOURCE);
    const url = receivers.url(manner, name);
    await router.admin.put(`${tenant}/targets/${name}`, { kind: "http", url, retry: RETRY });
    await router.admin.put(`${tenant}/rules/${name}`, {
      ...{ pattern: { source: [name] }, priority: "normal", targets: [name] },
    });
  }
}

/** Deliveries to bad targets in whatever state: nothing was forgotten. */
async function keptInLedger({ router }: Scene): Promise<number> {
  let kept = 0;
  for (const target of BAD) {
    let cursor: string | null = "";
    while (cursor !== null) {
      const after: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const { body } = await router.admin.get(
        `tenants/mixed/deliveries?target=${target}&limit=1000${after}`,
      );
      kept += body.items.length;
      cursor = body.cursor;
    }
  }
  return kept;
}

interface Waits {
  readonly early: number;
  readonly lateSeconds: number;
  readonly probes: number;
  readonly probeSeconds: number;
}

/** Waits until the busy one was asked again, so that there is something to see. */
async function waitsOf({ receivers }: Scene, quick: boolean): Promise<Waits> {
  const pauses = (): readonly number[] => {
    return gapsOf(receivers.attempts.get("busy") ?? []).filter((gap) => gap > AT_ONCE_SECONDS);
  };
  const endMs = Date.now() + (quick ? 0 : (BUSY_SECONDS + 10) * 1_000);
  while (pauses().length === 0 && Date.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const probes = probeGaps(receivers.attempts.get("broken") ?? []);
  return {
    early: pauses().filter((seconds) => seconds < BUSY_SECONDS).length,
    lateSeconds: Math.max(...pauses()) - BUSY_SECONDS,
    probes: probes.length,
    probeSeconds: Math.min(...probes),
  };
}

/** What was under way when the first answer came, or goes out with a probe, is not asked anew. */
const AT_ONCE_SECONDS = 5;

/** From one attempt to the next, whatever the delivery. */
function gapsOf(attempts: readonly Came[]): number[] {
  return attempts.slice(1).map(({ atMs }, at) => (atMs - (attempts[at]?.atMs ?? 0)) / 1_000);
}

/** A pause this long says that it is left alone now; what comes after are probes. */
const LEFT_ALONE_SECONDS = 15;

function probeGaps(attempts: readonly Came[]): number[] {
  const gaps = gapsOf(attempts);
  const first = gaps.findIndex((seconds) => seconds > LEFT_ALONE_SECONDS);
  return first === -1 ? [] : gaps.slice(first);
}

function failuresOf(lost: number, waits: Waits, quick: boolean): string[] {
  const failures: string[] = [];
  if (lost > 0) failures.push(`${lost} deliveries to bad targets are not in the ledger.`);
  if (waits.early > 0) failures.push(`${waits.early} attempts came before Retry-After was over.`);
  if (quick) return failures;
  if (!(waits.lateSeconds <= LATE_SECONDS_MAX)) {
    failures.push(
      `After Retry-After the next attempt came ${figure(waits.lateSeconds, 1)} s late.`,
    );
  }
  if (waits.probes === 0 || waits.probeSeconds < PROBE_SECONDS_MIN) {
    failures.push(`A target that fails was tried after ${figure(waits.probeSeconds, 1)} s.`);
  }
  return failures;
}
