/** One crash run of a fan-out: a list, a receiver that refuses some, a router that is killed; then the account. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Admin } from "../../../src/local/admin.ts";
import { type Receiver, startReceiver } from "../../support/receiver.ts";
import { type RouterProcess, startRouterProcess } from "../router-process.ts";
import { elementOf, type FanOutCrashOptions, isRefused, killsOf } from "./plan.ts";
import { type Arrival, type Counts, type FanOutVerdict, fanOutVerdict } from "./verdict.ts";

export interface FanOutCrashOutcome {
  readonly options: FanOutCrashOptions;
  readonly verdict: FanOutVerdict;
  /** How long the router took to be back after each kill. */
  readonly backMs: readonly number[];
  /** From the answer to the sender until every delivery had ended, and until the failed ones were delivered. */
  readonly endedMs: number;
  readonly retriedMs: number;
  readonly failures: readonly string[];
}

const PATH = "tenants/acme";
const LOOK_EVERY_MS = 250;
/** Nothing has happened for so long: a lease and a sweep after it, on a machine with much else to do. */
const STUCK_MS = 180_000;

interface Book {
  readonly receiver: Receiver;
  readonly arrivals: Arrival[];
  isHealed: boolean;
}

/** `say` hears how the run goes. Leaves no process behind; the state stays only when the run failed. */
export async function crashFanOut(
  options: FanOutCrashOptions,
  buildDirectory: string,
  say: (line: string) => void,
): Promise<FanOutCrashOutcome> {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-crash-"));
  const book = await openBook(options);
  try {
    const router = await startRouterProcess(directory, buildDirectory);
    try {
      await prepare(router.admin(), book.receiver.url);
      const outcome = await run(options, router, book, say);
      if (outcome.failures.length === 0) rmSync(directory, { recursive: true, force: true });
      else say(`State and log of the router stay in ${directory}`);
      return outcome;
    } finally {
      await router.stop();
    }
  } finally {
    await book.receiver.stop();
  }
}

async function openBook({ seed }: FanOutCrashOptions): Promise<Book> {
  const arrivals: Arrival[] = [];
  const receiver = await startReceiver(({ headers, body }, response) => {
    receiver.received.length = 0; // what matters of it is noted below
    const index = Number(headers["signalbox-index"] ?? -1);
    const refuses = !book.isHealed && isRefused(seed, index);
    arrivals.push({
      ...{ index, body: `${body}`, isRefused: refuses, isRetry: book.isHealed },
      event: String(headers["signalbox-event"]),
      webhookId: String(headers["webhook-id"]),
    });
    response.writeHead(refuses ? 500 : 200).end();
  });
  const book: Book = { receiver, arrivals, isHealed: false };
  return book;
}

async function prepare(admin: Admin, url: string): Promise<void> {
  await admin.put(PATH, {});
  await admin.put(`${PATH}/sources/lists`, {
    ...{ verify: { scheme: "none" }, bytesMax: 25_000_000 },
    idempotencyKey: { from: "body", pointer: "/id" },
  });
  const retry = { delaysSeconds: [1] };
  await admin.put(`${PATH}/targets/mail`, { kind: "http", url, retry });
  await admin.put(`${PATH}/rules/blast`, {
    ...{ pattern: { source: ["lists"] }, priority: "bulk", targets: ["mail"] },
    forEach: "$.data.recipients",
  });
}

async function run(
  options: FanOutCrashOptions,
  router: RouterProcess,
  book: Book,
  say: (line: string) => void,
): Promise<FanOutCrashOutcome> {
  const { seed, elements } = options;
  const recipients = Array.from({ length: elements }, (_, index) => elementOf(seed, index));
  const backMs: number[] = [];
  await insist(() =>
    fetch(`${router.url()}/in/acme/lists`, {
      ...{ method: "POST", body: JSON.stringify({ id: "1", recipients }) },
      headers: { "content-type": "application/json" },
    }),
  );
  const startMs = Date.now();
  const kill = async (): Promise<void> => {
    const isGroup = backMs.length % 2 === 1;
    backMs.push(await (isGroup ? router.killGroup(200) : router.killEngine()));
    say(`kill ${backMs.length} after ${book.arrivals.length} requests`);
  };
  for (const count of killsOf(options)) {
    await patiently(book, () => book.arrivals.length >= count);
    await kill();
  }
  const id = await insist(() => router.admin().get(`${PATH}/fan-outs`)).then(
    ({ body }) => body.items[0]?.id as string,
  );
  const read = async (): Promise<Counts> =>
    (await insist(() => router.admin().get(`${PATH}/fan-outs/${id}`))).body;
  const ended = async (isSo: (counts: Counts) => boolean): Promise<Counts> => {
    let counts = await read();
    await patiently(book, async () => {
      counts = await read();
      return isSo(counts);
    });
    return counts;
  };
  const before = await ended(({ percent }) => percent === 100);
  const endedMs = Date.now() - startMs;
  say(`${before.delivered} delivered, ${before.failed} failed after ${endedMs} ms`);
  book.isHealed = true;
  const healedMs = Date.now();
  const job = await insist(() => router.admin().post(`${PATH}/fan-outs/${id}/retry-failed`, {}));
  // What a redrive has sent is looked for after two minutes: a short run does without.
  if (options.kills > 1) await kill();
  const after = await ended(({ delivered }) => delivered === elements);
  const retriedMs = Date.now() - healedMs;
  const verdict = fanOutVerdict({
    ...{ options, before, after, kills: backMs.length, arrivals: book.arrivals },
    redriven: job.body.total,
  });
  return { options, verdict, backMs, endedMs, retriedMs, failures: verdict.faults };
}

/** Until it is so; gives up, and leaves it to the account, when nothing has come for long. */
async function patiently(
  { arrivals }: Book,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  for (let [count, sinceMs] = [-1, Date.now()]; !(await isSo()); ) {
    if (arrivals.length !== count) [count, sinceMs] = [arrivals.length, Date.now()];
    if (Date.now() - sinceMs > STUCK_MS) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Asks a router that may just be killed until it answers well. */
async function insist<Answer extends { readonly status: number }>(
  ask: () => Promise<Answer>,
): Promise<Answer> {
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null && answer.status < 300) return answer;
    if (answer !== null && answer.status >= 400 && answer.status < 500) {
      throw new Error(`the router answered ${answer.status}`);
    }
    await sleep(200);
  }
}
