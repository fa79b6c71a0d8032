/** The only place that calls a target. */
import type { Answer } from "../core/deliver/outcome.ts";
import { parseRetryAfter } from "../core/deliver/retry.ts";
import { ANSWER_BYTES_MAX } from "../core/limits.ts";
import type { Clock } from "../ports/clock.ts";
import type { AddressGuard } from "../ports/guard.ts";
import type { OutgoingRequest, Transport } from "../ports/transport.ts";
import { firstText } from "./answer-text.ts";

export function createTransport(guard: AddressGuard, clock: Clock): Transport {
  async function attempt(request: OutgoingRequest, signal: AbortSignal): Promise<Answer> {
    const { method = "POST", url, headers, body, answerHeaders } = request;
    const { answerBytesMax = ANSWER_BYTES_MAX } = request;
    const verdict = await guard.check(url);
    if (verdict.kind !== "allowed") {
      if (!(body instanceof Uint8Array)) await body.stream.cancel().catch(() => {});
      const kind = verdict.kind === "refused" ? "refused" : "network";
      return { kind, detail: verdict.detail };
    }
    try {
      const response = await fetch(url, {
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

  return {
    async send(request) {
      // The timer of AbortSignal.timeout outlives the answer, and keeps a Durable Object in memory, which is billed.
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), request.timeoutMs);
      try {
        return await attempt(request, late.signal);
      } finally {
        clearTimeout(timer);
      }
    },
  };
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
function networkDetail(error: unknown): string {
  const message = error instanceof Error ? error.message : "request failed";
  return message.replace(/https?:\/\/\S+/g, "[address]").slice(0, 200);
}
