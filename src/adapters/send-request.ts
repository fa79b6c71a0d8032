/** One HTTP request, to an address or to a service that is bound: no redirect, and the first bytes of its answer. */
import type { Answer } from "../core/deliver/outcome.ts";
import { parseRetryAfter } from "../core/deliver/retry.ts";
import { ANSWER_BYTES_MAX } from "../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { OutgoingRequest } from "../ports/transport.ts";
import { firstText } from "./answer-text.ts";

type Ask = (url: string, init: RequestInit) => Promise<Response>;

/** Never rejects: what went wrong is an answer too. */
export async function sendRequest(
  ask: Ask,
  request: OutgoingRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<Answer> {
  const { method = "POST", url, headers, body, answerHeaders } = request;
  const { answerBytesMax = ANSWER_BYTES_MAX } = request;
  try {
    const response = await ask(url, {
      method,
      redirect: "manual",
      headers: Object.fromEntries(headers),
      body: body instanceof Uint8Array ? someOrNone(body) : fixedLength(body),
      signal,
    });
    return {
      kind: "response",
      status: response.status,
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), clock.nowMs()),
      body: await firstText(response, answerBytesMax),
      ...(answerHeaders === undefined ? {} : { headers: pick(response, answerHeaders) }),
    };
  } catch (error) {
    if (signal.aborted) return { kind: "timeout" };
    return { kind: "network", detail: networkDetail(error) };
  }
}

/** Of a request that is not sent: what streams from the archive would stay open. */
export async function dropBody({ body }: OutgoingRequest): Promise<void> {
  if (!(body instanceof Uint8Array)) await body.stream.cancel().catch(() => {});
}

/** The timer of AbortSignal.timeout outlives the answer, and keeps a Durable Object in memory, which is billed. */
export async function inTime(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    return await work(late.signal);
  } finally {
    clearTimeout(timer);
  }
}

function pick({ headers }: Response, names: readonly string[]): Map<string, string> {
  return new Map(
    names.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
}

/** A GET has no body, not even an empty one. */
const someOrNone = (body: Uint8Array): Uint8Array | null => (body.length === 0 ? null : body);

/** A known length, so that the receiver sees Content-Length instead of chunks. */
function fixedLength(body: { stream: ReadableStream<Uint8Array>; bytes: number }): ReadableStream {
  const { readable, writable } = new FixedLengthStream(body.bytes);
  body.stream.pipeTo(writable).catch(() => {}); // seen by fetch as a failed body
  return readable;
}

/** The platform's own words, without the address they may contain. */
export function networkDetail(error: unknown): string {
  const message = error instanceof Error ? error.message : "request failed";
  return message.replace(/https?:\/\/\S+/g, "[address]").slice(0, 200);
}
