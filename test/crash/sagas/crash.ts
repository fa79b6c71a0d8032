/** One crash run of sagas: a router that is killed, orders, an ill participant; then quiet, and the account. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "../../../src/local/admin.ts";
import { type RouterProcess, startRouterProcess } from "../router-process.ts";
import { type Participant, startParticipant, type Weather } from "./participant.ts";
import { killsOf, type SagaCrashOptions, sagaOf } from "./plan.ts";
import { type Ended, type SagaVerdict, sagaVerdict } from "./verdict.ts";

export interface SagaCrashOutcome {
  readonly options: SagaCrashOptions;
  readonly verdict: SagaVerdict;
  readonly weather: Weather;
  /** How long the router took to be back after each kill. */
  readonly backMs: readonly number[];
  /** Sagas that had not ended when the last kill was over, and how long the last of them took. */
  readonly openAtLast: number;
  readonly drainMs: number;
  readonly failures: readonly string[];
}

/** A watchdog, an attempt that is late, and half a minute to work off the rest. */
const DRAIN_MS_MAX = 90_000;
/** A watchdog may have to go off before anything is done, on a machine with much else to do. */
const WORK_MS_MAX = 30_000;
const REQUESTS_MIN = 5;
const SENDER_TIMEOUT_MS = 5_000;
const LOOK_EVERY_MS = 200;
const PATH = "tenants/shop";

/** `say` hears how the run goes. Leaves no process behind; the state stays only when the run failed. */
export async function crashSagas(
  options: SagaCrashOptions,
  buildDirectory: string,
  say: (line: string) => void,
): Promise<SagaCrashOutcome> {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-crash-"));
  const participant = await startParticipant(options.seed);
  try {
    const router = await startRouterProcess(directory, buildDirectory);
    try {
      await prepare(router.admin(), participant.url);
      const outcome = await run(options, router, participant, say);
      if (outcome.failures.length === 0) rmSync(directory, { recursive: true, force: true });
      else say(`State and log of the router stay in ${directory}`);
      return outcome;
    } finally {
      await router.stop();
    }
  } finally {
    await participant.stop();
  }
}

async function prepare(admin: Admin, url: string): Promise<void> {
  await admin.put(PATH, {});
  await admin.put(`${PATH}/sources/orders`, {
    ...{ verify: { scheme: "none" }, typeFrom: { from: "body", pointer: "/type" } },
    idempotencyKey: { from: "body", pointer: "/id" },
  });
  await admin.put(`${PATH}/sagas/order`, sagaOf(url));
  // An event may come before its order, and find a router that is just being killed.
  const retry = { delaysSeconds: Array<number>(50).fill(1) };
  await admin.put(`${PATH}/targets/orders`, { kind: "saga", saga: "order", retry });
  await admin.put(`${PATH}/rules/orders`, {
    ...{ pattern: { type: ["ordered", "captured"] }, priority: "normal", targets: ["orders"] },
  });
}

async function run(
  options: SagaCrashOptions,
  router: RouterProcess,
  participant: Participant,
  say: (line: string) => void,
): Promise<SagaCrashOutcome> {
  const kills = killsOf(options);
  const backMs: number[] = [];
  const keys: string[] = [];
  let isOver = false;
  const killing = async (): Promise<void> => {
    for (const { kind, atMs, forMs } of kills) {
      await atWork(participant);
      await sleep(atMs);
      backMs.push(await (kind === "group" ? router.killGroup(forMs) : router.killEngine()));
      const { requests } = participant.weather;
      say(`kill ${backMs.length} of ${kills.length}; ${keys.length} orders, ${requests} requests`);
    }
    isOver = true;
  };
  const ordering = async (): Promise<void> => {
    const sent: Promise<void>[] = [];
    for (let n = 0; n < options.instances; n += 1) {
      sent.push(order(router, n).then(() => void keys.push(`o-${n}`)));
      // So that each kill hits some; once they are over there is nothing to wait for.
      const isAhead = () => n / options.instances > backMs.length / Math.max(1, kills.length);
      while (!isOver && isAhead()) await sleep(10);
    }
    await Promise.all(sent);
  };
  await Promise.all([killing(), ordering()]);
  const quietMs = Date.now();
  const openAtLast = (await open(router.admin())).length;
  say(`The last kill is over; ${openAtLast} sagas have not ended`);
  let left = openAtLast;
  while (left > 0 && Date.now() - quietMs < DRAIN_MS_MAX) {
    await sleep(LOOK_EVERY_MS);
    left = (await open(router.admin())).length;
  }
  const drainMs = Date.now() - quietMs;
  await participant.settled();
  const instances = await readAll(router.admin());
  const verdict = sagaVerdict({ started: keys, instances, effects: participant.effects });
  const missing = options.instances - keys.length;
  return {
    ...{ options, verdict, backMs, openAtLast, drainMs, weather: participant.weather },
    failures: [
      ...verdict.faults,
      ...participant.faults,
      ...(missing > 0 ? [`${missing} orders were never taken`] : []),
    ],
  };
}

/** A kill finds a router that does something, unless there is nothing left to do. */
async function atWork({ weather }: Participant): Promise<void> {
  const enough = weather.requests + REQUESTS_MIN;
  const endMs = Date.now() + WORK_MS_MAX;
  while (weather.requests < enough && Date.now() < endMs) await sleep(10);
}

/** Every other order comes as an event; who hears no 2xx sends the same again. */
async function order({ url, admin }: RouterProcess, n: number): Promise<void> {
  const data = { n, order: `o-${n}` };
  const event = (type: string) => () =>
    fetch(`${url()}/in/shop/orders`, {
      ...{ method: "POST", body: JSON.stringify({ ...data, type, id: `${type} ${n}` }) },
      headers: { "content-type": "application/json" },
      signal: AbortSignal.timeout(SENDER_TIMEOUT_MS),
    });
  const byHand = () => admin().post(`${PATH}/sagas/order/instances`, { input: { data } });
  const captured = insist(event("captured"));
  await insist(n % 2 === 0 ? event("ordered") : byHand);
  await captured;
}

async function insist(send: () => Promise<{ readonly status: number }>): Promise<void> {
  for (;;) {
    const status = await send().then(
      (answer) => answer.status,
      () => 0,
    );
    if (status >= 200 && status < 300) return;
    if (status >= 400 && status < 500) throw new Error(`an order was refused with ${status}`);
    await sleep(200);
  }
}

async function listed(admin: Admin): Promise<{ id: string; status: string }[]> {
  const items: { id: string; status: string }[] = [];
  let cursor: string | null = null;
  do {
    const more: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await admin.get(`${PATH}/saga-instances?limit=1000${more}`);
    items.push(...body.items);
    ({ cursor } = body);
  } while (cursor !== null);
  return items;
}

const ENDED: readonly string[] = ["COMPLETED", "COMPENSATED", "FAILED"];
/** By the index alone: to ask the objects would wake them up. */
const open = async (admin: Admin) =>
  (await listed(admin)).filter(({ status }) => !ENDED.includes(status));

async function readAll(admin: Admin): Promise<Ended[]> {
  const all: Ended[] = [];
  for (const { id } of await listed(admin)) {
    const { body } = await admin.get(`${PATH}/saga-instances/${id}`);
    const { key, status, reason, journal } = body;
    const commands = (journal as { actor: { by: string } }[]).filter(
      ({ actor }) => actor.by === "operator",
    ).length;
    all.push({ id, key, status, reason, commands });
  }
  return all;
}
