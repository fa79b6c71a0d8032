/**
 * The load process: sends what it is told to, one job at a time. Apart, so that it takes no time
 * from what it measures.
 */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startsOf } from "./arrivals.ts";
import { DELIVERED, type Job, nowMs, type Outcome, type Sent } from "./job.ts";
import { createPermits } from "./permits.ts";

const ANSWER_TIMEOUT_MS = 10_000;

let deliveries = createPermits();

process.on("message", async (said: Job | typeof DELIVERED) => {
  if (said === DELIVERED) deliveries.give();
  else process.send?.(await run(said));
});
process.on("disconnect", () => process.exit(0));

async function run(job: Job): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.connections });
  const accepted: Sent[] = [];
  const refused: Record<number, number> = {};
  let started = 0;

  async function sendOne(intendedAtMs: number): Promise<boolean> {
    const id = `${job.idPrefix}${started}`;
    const path = job.paths[started % job.paths.length] ?? "/";
    started += 1;
    const status = await post(job, path, id, agent);
    const answeredAtMs = nowMs();
    const latencyMs = answeredAtMs - intendedAtMs;
    if (status === 202) accepted.push({ id, path, latencyMs, answeredAtMs });
    else refused[status] = (refused[status] ?? 0) + 1;
    return status === 202;
  }
  async function sendAndAwaitOne(intendedAtMs: number): Promise<void> {
    if (await sendOne(intendedAtMs)) await deliveries.take();
  }

  const cpuBefore = process.cpuUsage();
  const startMs = nowMs();
  const mayStart = () => started < job.requestsMax && nowMs() - startMs < job.msMax;
  deliveries = createPermits();
  const ended = setTimeout(deliveries.end, job.msMax);
  if (job.perSecond === null) {
    const send = job.waitsForDelivery === true ? sendAndAwaitOne : sendOne;
    await closedLoop(job.connections, mayStart, send);
  } else {
    const spanMs = (job.requestsMax * 1_000) / job.perSecond;
    const starts = startsOf(job.arrivals ?? "even", job.requestsMax, spanMs, Math.random);
    await openLoop(starts, startMs, mayStart, sendOne);
  }
  clearTimeout(ended);
  const elapsedMs = nowMs() - startMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  agent.destroy();
  return { accepted, refused, elapsedMs, cpuShare: (user + system) / 1_000 / elapsedMs };
}

type SendOne = (intendedAtMs: number) => Promise<unknown>;

async function closedLoop(
  connections: number,
  mayStart: () => boolean,
  sendOne: SendOne,
): Promise<void> {
  const sendOn = async () => {
    while (mayStart()) await sendOne(nowMs());
  };
  await Promise.all(Array.from({ length: connections }, sendOn));
}

/** A slow answer delays no later start: what it delays is counted as latency, not left out. */
async function openLoop(
  starts: readonly number[],
  startMs: number,
  mayStart: () => boolean,
  sendOne: SendOne,
): Promise<void> {
  const underWay: Promise<unknown>[] = [];
  for (const start of starts) {
    if (!mayStart()) break;
    const intendedAtMs = startMs + start;
    const waitMs = intendedAtMs - nowMs();
    if (waitMs > 0) await sleep(waitMs);
    underWay.push(sendOne(intendedAtMs));
  }
  await Promise.all(underWay);
}

/** The status of the answer once it is there whole; 0 when there is none. */
function post(job: Job, path: string, id: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const sending = request(`${job.origin}${path}`, {
      method: "POST",
      agent,
      headers: {
        ...job.headers,
        [job.idHeader]: id,
        "content-length": Buffer.byteLength(job.body),
      },
      timeout: ANSWER_TIMEOUT_MS,
    });
    sending.on("timeout", () => sending.destroy());
    sending.on("error", () => resolve(0));
    sending.on("response", (response) => {
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", () => resolve(0));
      response.resume();
    });
    sending.end(job.body);
  });
}
