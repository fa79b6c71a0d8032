/** One crash run: a router, senders, ill targets and faults; then quiet, and the account of every event. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "../../src/local/admin.ts";
import { type Inflicted, inflict } from "./chaos.ts";
import { type Copies, readCopies, readLedger } from "./ledger.ts";
import { type CrashOptions, PRIORITIES, planOf, TARGETS, TENANTS } from "./plan.ts";
import { type Receivers, startReceivers } from "./receivers.ts";
import { startRouterProcess } from "./router-process.ts";
import { createSenders, SECRETS, type Tally } from "./senders.ts";
import { type Arrival, type SentEvent, type Verdict, verdictOf } from "./verdict.ts";

/** One lease, and half a minute to work off what waited for its end. */
const DRAIN_MS_MAX = 120_000;
/** Longer than an answer takes in a healthy target, short enough that a hang holds up little. */
const TIMEOUT_MS = 3_000;
/** As many as there can be: a dead letter would be a fault of the run, not of the router. */
const DELAYS_SECONDS = Array.from({ length: 50 }, () => 1);
const LOOK_EVERY_MS = 500;

export interface Outcome {
  readonly options: CrashOptions;
  readonly verdict: Verdict;
  readonly inflicted: readonly Inflicted[];
  readonly sent: Tally;
  readonly arrivals: readonly Arrival[];
  readonly copies: Copies;
  /** From the last fault until everything was delivered and written down; null when that never came. */
  readonly drainMs: number | null;
  readonly kills: number;
  /** Why the run failed; empty when it did not. */
  readonly failures: readonly string[];
}

export interface Limits {
  /** On average over the run. */
  readonly repeatsPerKillMax: number;
}

/** `say` hears how the run goes. Leaves no process behind; the state stays only when the run failed. */
export async function crash(
  options: CrashOptions,
  { repeatsPerKillMax }: Limits,
  buildDirectory: string,
  say: (line: string) => void,
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-crash-"));
  const receivers = await startReceivers(options.seed);
  try {
    const router = await startRouterProcess(directory, buildDirectory);
    try {
      await prepare(router.admin(), receivers.url);
      const account = await run(options, router, receivers, say);
      const outcome = { ...account, failures: failuresOf(account, repeatsPerKillMax) };
      if (outcome.failures.length === 0) rmSync(directory, { recursive: true, force: true });
      else say(`State and log of the router stay in ${directory}`);
      return outcome;
    } finally {
      await router.stop();
    }
  } finally {
    await receivers.stop();
  }
}

type Router = Awaited<ReturnType<typeof startRouterProcess>>;

async function run(
  options: CrashOptions,
  router: Router,
  receivers: Receivers,
  say: (line: string) => void,
): Promise<Omit<Outcome, "failures">> {
  const { webhooks, faults } = planOf(options);
  const senders = createSenders(router.url);
  const inflicted: Inflicted[] = [];
  const progress = (): string =>
    `${senders.tally.accepted} accepted, ${receivers.arrivals.length} arrived`;
  const startMs = Date.now();
  const work = Promise.all([
    senders.send(webhooks, startMs),
    inflict(faults, router, startMs, (fault) => {
      inflicted.push(fault);
      const seconds = Math.round((Date.now() - startMs) / 1_000);
      const { kind, backMs } = fault;
      say(`${seconds} s: ${kind}, back after ${Math.round(backMs)} ms; ${progress()}`);
    }),
  ]);
  const [sent] = await work.finally(() => senders.stop());
  receivers.heal();
  const quietMs = Date.now();
  say(`Quiet after ${Math.round((quietMs - startMs) / 1_000)} s; ${progress()}`);

  const { verdict, isDrained } = await drain(sent, receivers, router.admin(), quietMs);
  const drainMs = isDrained ? Date.now() - quietMs : null;
  const copies = await readCopies(sent, router.admin(), quietMs + DRAIN_MS_MAX);
  return {
    ...{ options, verdict, inflicted, copies, drainMs },
    sent: senders.tally,
    arrivals: receivers.arrivals,
    kills: inflicted.filter(({ kind }) => kind !== "pause").length,
  };
}

async function prepare(admin: Admin, receiversUrl: string): Promise<void> {
  for (const tenant of TENANTS) {
    const path = `tenants/${tenant}`;
    await admin.put(path, {});
    await admin.put(`${path}/sources/github`, {
      verify: { scheme: "github", secrets: [SECRETS.github] },
    });
    await admin.put(`${path}/sources/standard`, {
      verify: { scheme: "standard-webhooks", secrets: [SECRETS.standard] },
    });
    for (const target of TARGETS) {
      await admin.put(`${path}/targets/${target}`, {
        kind: "http",
        url: `${receiversUrl}/${tenant}/${target}`,
        timeoutMs: TIMEOUT_MS,
        retry: { delaysSeconds: DELAYS_SECONDS },
      });
    }
    for (const priority of PRIORITIES) {
      await admin.put(`${path}/rules/${priority}`, {
        pattern: { data: { priority: [priority] } },
        priority,
        targets: TARGETS,
      });
    }
  }
}

/** Until nothing is owed any more, or until the time for it is over. */
async function drain(
  sent: readonly SentEvent[],
  { arrivals }: Receivers,
  admin: Admin,
  quietMs: number,
): Promise<{ verdict: Verdict; isDrained: boolean }> {
  for (;;) {
    const ledger = await readLedger(admin);
    const verdict = verdictOf({ sent, arrivals, ledger, targets: TARGETS });
    const isDrained = verdict.lost.length + verdict.late.length === 0;
    if (isDrained || Date.now() - quietMs > DRAIN_MS_MAX) return { verdict, isDrained };
    await sleep(LOOK_EVERY_MS);
  }
}

function failuresOf(
  { verdict, copies, kills, drainMs }: Omit<Outcome, "failures">,
  repeatsPerKillMax: number,
): string[] {
  const { late, lost, unexpected, faults, repeatsMs } = verdict;
  const perKill = repeatsMs.length / Math.max(1, kills);
  return [
    ...lost.map((line) => `lost: ${line}`),
    ...late.map((line) => `late: ${line}`),
    ...unexpected,
    ...faults,
    ...copies.unrecorded.map((receipt) => `${receipt} was accepted, and no record has it`),
    ...(perKill > repeatsPerKillMax
      ? [`${perKill.toFixed(1)} repeated deliveries per kill, of at most ${repeatsPerKillMax}`]
      : []),
    ...(drainMs === null ? [`not drained ${DRAIN_MS_MAX / 1_000} s after the last fault`] : []),
  ];
}
