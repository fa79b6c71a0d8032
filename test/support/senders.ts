/** Many senders at once, each of which sends its next webhook when the last was answered. */
import { Agent, request } from "node:http";

export interface Load {
  /** Where to: the router's origin and the webhook's path. */
  readonly url: string;
  readonly senders: number;
  /** Webhooks in all, unless `enough` ends it before. */
  readonly count: number;
  readonly body: (index: number) => string;
  readonly enough?: (sent: readonly Sent[]) => boolean;
}

export interface Sent {
  readonly index: number;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly answer: string;
}

/** Answers what came of each, in the order of the answers. Over node:http: fetch costs this machine twice as much. */
export async function sendMany(load: Load): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.senders });
  const sent: Sent[] = [];
  let next = 0;
  async function sender(): Promise<void> {
    while (next < load.count && load.enough?.(sent) !== true) {
      const index = next;
      next += 1;
      sent.push(await post(load.url, load.body(index), index, agent));
    }
  }
  try {
    await Promise.all(Array.from({ length: load.senders }, sender));
  } finally {
    agent.destroy();
  }
  return sent;
}

function post(url: string, body: string, index: number, agent: Agent): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const sentMs = Date.now();
    const headers = { "content-length": Buffer.byteLength(body) };
    const sending = request(url, { method: "POST", agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({
          index,
          sentMs,
          answeredMs: Date.now(),
          status: response.statusCode ?? 0,
          retryAfter: response.headers["retry-after"],
          answer: Buffer.concat(chunks).toString(),
        });
      });
    });
    sending.on("error", reject);
    sending.end(body);
  });
}

export const withStatus = (sent: readonly Sent[], status: number): Sent[] =>
  sent.filter((one) => one.status === status);

export const statusesOf = (sent: readonly Sent[]): Set<number> =>
  new Set(sent.map(({ status }) => status));
